import type { UserId } from "../../domain/Score.ts"
import { LruMap } from "../../foundation/LruMap.ts"
import { type Batch, isOpen, refuseAll } from "./PendingIncrement.ts"
import type { Refuse } from "./Refusals.ts"

/** Players who are remembered as locked; the one heard of least recently is forgotten, and then costs one batch again. */
const MOST_PLAYERS = 1000

/** Requests that are set aside at one time; further ones are refused. */
const MOST_REQUESTS = 1000

/** Between two tries of one player, in milliseconds: every try leaves dead rows behind. */
const TRY_EVERY_MILLIS = 100

/** How long the requests of a player are tried again, in milliseconds: longer than any commit of ours holds a row. */
const TRY_FOR_MILLIS = 1000

/** How long a player who stays locked is then refused without a try, in milliseconds. */
const REFUSE_FOR_MILLIS = 1000

/** The requests of one player, who is tried alone. */
export interface Alone {
  readonly player: UserId
  readonly batch: Batch
  readonly sinceMillis: number
  /** When the next try is due. */
  readonly nextMillis: number
}

const playersOf = (batch: Batch) => [...new Set(batch.map(({ request }) => request.userId))]

/** The requests of some players, and those of all others. */
const partition = (batch: Batch, isChosen: (player: UserId) => boolean): readonly [Batch, Batch] => [
  batch.filter(({ request }) => isChosen(request.userId)),
  batch.filter(({ request }) => !isChosen(request.userId)),
]

/**
 * What is set aside: whole batches, and the requests of players of whom it is known that they need a locked row. Times
 * are milliseconds of the monotonic clock.
 */
export class AsideState {
  readonly #refuse: Refuse
  /** By player: until when they are refused without a try. */
  readonly #locked = new LruMap<UserId, number>(MOST_PLAYERS)
  readonly #batches: Array<Batch> = []
  /** In the order of their next try. */
  readonly #alone = new Map<UserId, Alone>()
  #requests = 0

  constructor(refuse: Refuse) {
    this.#refuse = refuse
  }

  get isEmpty(): boolean {
    return this.#batches.length === 0 && this.#alone.size === 0
  }

  /** Until when this player is refused without a try, if the player is known as locked. */
  refusedUntil(player: UserId): number | undefined {
    return this.#locked.peek(player)
  }

  /** Takes requests in, as far as there is room, and refuses the others. */
  admit(batch: Batch): Batch {
    const room = Math.max(0, MOST_REQUESTS - this.#requests)
    refuseAll(batch.slice(room), this.#refuse, "locked")
    const admitted = batch.slice(0, room)
    this.#requests += admitted.length
    return admitted
  }

  /** What nobody waits for any more is dropped; gives the rest. */
  dropAnswered(batch: Batch): Batch {
    const open = batch.filter(isOpen)
    this.#requests -= batch.length - open.length
    return open
  }

  /** These requests have their answers. */
  leave(batch: Batch): void {
    this.#requests -= batch.length
  }

  addBatch(batch: Batch): void {
    if (batch.length > 0) this.#batches.push(batch)
  }

  /** Adds requests of one player, who is tried alone from now on. */
  addAlone(player: UserId, batch: Batch, nowMillis: number): void {
    if (batch.length === 0) return
    const waiting = this.#alone.get(player) ?? { batch: [], sinceMillis: nowMillis, nextMillis: nowMillis }
    this.#alone.set(player, { ...waiting, player, batch: [...waiting.batch, ...batch] })
    if (this.#locked.peek(player) === undefined) this.#locked.set(player, 0)
  }

  /** Takes the batch that waits longest. Players who turned out as locked meanwhile leave it, to be tried alone. */
  takeBatch(nowMillis: number): Batch | undefined {
    const batch = this.#batches.shift()
    if (batch === undefined) return undefined
    const [known, others] = partition(batch, (player) => this.#locked.peek(player) !== undefined)
    for (const pending of known) this.addAlone(pending.request.userId, [pending], nowMillis)
    return others
  }

  /** Half of a batch with a locked row is free of it, mostly. Of a single player, nothing is. */
  halve(batch: Batch, nowMillis: number): void {
    const players = playersOf(batch)
    const [only] = players
    if (players.length === 1 && only !== undefined) {
      this.addAlone(only, batch, nowMillis)
      return
    }
    const firstHalf = new Set(players.slice(0, Math.ceil(players.length / 2)))
    this.#batches.push(...partition(batch, (player) => firstHalf.has(player)))
  }

  /** The player whose try is due first. */
  nextAlone(): Alone | undefined {
    for (const alone of this.#alone.values()) return alone
    return undefined
  }

  takeAlone(player: UserId): void {
    this.#alone.delete(player)
  }

  /** The player's row is still locked: tries again a little later, or refuses the player for a while. */
  stillLocked({ player, batch, sinceMillis }: Alone, nowMillis: number): void {
    if (nowMillis - sinceMillis >= TRY_FOR_MILLIS) {
      this.leave(batch)
      refuseAll(batch, this.#refuse, "locked")
      this.#locked.set(player, nowMillis + REFUSE_FOR_MILLIS)
      return
    }
    const arrived = this.#alone.get(player)?.batch ?? []
    this.#alone.delete(player)
    const nextMillis = nowMillis + TRY_EVERY_MILLIS
    this.#alone.set(player, { player, batch: [...batch, ...arrived], sinceMillis, nextMillis })
  }

  /** The player was committed; the next request goes into a batch again. */
  free(player: UserId): void {
    if (!this.#alone.has(player)) this.#locked.delete(player)
  }
}
