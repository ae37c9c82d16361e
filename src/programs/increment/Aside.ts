import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { UserId } from "../../domain/Score.ts"
import { LruMap } from "../../foundation/LruMap.ts"
import { monotonicMillis } from "../../foundation/MonotonicTime.ts"
import type { Attempt } from "./CommitBatch.ts"
import { type Batch, isOpen, type PendingIncrement, refuseAll } from "./PendingIncrement.ts"
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
interface Alone {
  readonly batch: Batch
  readonly sinceMillis: number
  readonly nextMillis: number
}

const playersOf = (batch: Batch) => [...new Set(batch.map(({ request }) => request.userId))]

/** The requests of some players, and those of all others. */
const partition = (batch: Batch, isChosen: (player: UserId) => boolean): readonly [Batch, Batch] => [
  batch.filter(({ request }) => isChosen(request.userId)),
  batch.filter(({ request }) => !isChosen(request.userId)),
]

/**
 * What is set aside because another transaction locks a row that it needs: whole batches, until halving them has shown
 * whose row it is, and the requests of the players found so, each player alone. Owned by the one fiber of `startAside`.
 */
export const makeAside = (refuse: Refuse) => {
  /** By player: until when they are refused without a try. Present while they are tried alone. */
  const locked = new LruMap<UserId, number>(MOST_PLAYERS)
  const batches: Array<Batch> = []
  /** In the order of their next try. */
  const alone = new Map<UserId, Alone>()
  const work = Latch.makeUnsafe(false)
  let requests = 0

  const addAlone = (player: UserId, batch: Batch, nowMillis: number) => {
    const waiting = alone.get(player)
    const entry = waiting ?? { batch: [], sinceMillis: nowMillis, nextMillis: nowMillis }
    alone.set(player, { ...entry, batch: [...entry.batch, ...batch] })
    if (locked.peek(player) === undefined) locked.set(player, 0)
  }

  /** Sets a batch aside. */
  const add = (batch: Batch) =>
    Effect.sync(() => {
      const room = Math.max(0, MOST_REQUESTS - requests)
      refuseAll(batch.slice(room), refuse, "locked")
      requests += Math.min(room, batch.length)
      if (room > 0) batches.push(batch.slice(0, room))
      work.openUnsafe()
    })

  /** Takes a request of a player who is known as locked, or refuses it; false for any other player. */
  const take = (pending: PendingIncrement, nowMillis: number): boolean => {
    const refusedUntil = locked.peek(pending.request.userId)
    if (refusedUntil === undefined) return false
    if (nowMillis < refusedUntil || requests >= MOST_REQUESTS) {
      refuseAll([pending], refuse, "locked")
      return true
    }
    requests += 1
    addAlone(pending.request.userId, [pending], nowMillis)
    work.openUnsafe()
    return true
  }

  /** Several players: one half is free of the locked row, mostly. */
  const halve = (batch: Batch, nowMillis: number) => {
    const players = playersOf(batch)
    const [only] = players
    if (players.length === 1 && only !== undefined) {
      addAlone(only, batch, nowMillis)
      return
    }
    const firstHalf = new Set(players.slice(0, Math.ceil(players.length / 2)))
    batches.push(...partition(batch, (player) => firstHalf.has(player)))
  }

  const tryAgainLater = (player: UserId, { batch, sinceMillis }: Alone, nowMillis: number) => {
    if (nowMillis - sinceMillis < TRY_FOR_MILLIS) {
      const arrived = alone.get(player)?.batch ?? []
      alone.delete(player)
      alone.set(player, {
        batch: [...batch, ...arrived],
        sinceMillis,
        nextMillis: nowMillis + TRY_EVERY_MILLIS,
      })
      return
    }
    requests -= batch.length
    refuseAll(batch, refuse, "locked")
    locked.set(player, nowMillis + REFUSE_FOR_MILLIS)
  }

  /** Tries what is open of a batch; what nobody waits for any more is dropped. */
  const attempt = (batch: Batch, commit: (batch: Batch) => Effect.Effect<Attempt>) => {
    const open = batch.filter(isOpen)
    requests -= batch.length - open.length
    return open.length === 0
      ? Effect.succeed([open, "unavailable"] as const)
      : Effect.map(commit(open), (how) => {
          if (how !== "locked") requests -= open.length
          return [open, how] as const
        })
  }

  const tryBatch = Effect.fnUntraced(function* (
    batch: Batch,
    commit: (batch: Batch) => Effect.Effect<Attempt>,
  ) {
    const [known, others] = partition(batch, (player) => locked.peek(player) !== undefined)
    const nowMillis = yield* monotonicMillis
    for (const pending of known) addAlone(pending.request.userId, [pending], nowMillis)
    const [open, how] = yield* attempt(others, commit)
    if (how === "locked") halve(open, yield* monotonicMillis)
  })

  const tryAlone = Effect.fnUntraced(function* (
    player: UserId,
    entry: Alone,
    commit: (batch: Batch) => Effect.Effect<Attempt>,
  ) {
    alone.delete(player)
    const [open, how] = yield* attempt(entry.batch, commit)
    if (how === "locked") tryAgainLater(player, { ...entry, batch: open }, yield* monotonicMillis)
    else if (how === "answered" && !alone.has(player)) locked.delete(player)
  })

  /** One turn: waits for something to try, and tries it. */
  const turn = (commit: (batch: Batch) => Effect.Effect<Attempt>) =>
    Effect.gen(function* () {
      if (batches.length === 0 && alone.size === 0) yield* work.close
      yield* work.await
      const batch = batches.shift()
      if (batch !== undefined) return yield* Effect.uninterruptible(tryBatch(batch, commit))
      for (const [player, entry] of alone) {
        const wait = entry.nextMillis - (yield* monotonicMillis)
        // Something new may come meanwhile, so the wait is short and the choice is made again.
        if (wait > 0) return yield* Effect.sleep(Math.min(wait, 10))
        return yield* Effect.uninterruptible(tryAlone(player, entry, commit))
      }
    })

  return { add, take, turn }
}
