import { backoffMs } from "./Backoff.ts"
import type { Environment } from "./Environment.ts"
import type { StandingOutcome } from "./StandingRequest.ts"

/** Between the starts of two reads. `GET /scores/me` asks its clients to read at most once a second. */
const INTERVAL_MS = 1_000

/** A change of the board reaches all players at the same moment. Their reads are spread over this time. */
const SPREAD_MS = 1_000

/**
 * The longest mean time between two reads that changes of the board cause: for a board that changes all the time. The
 * board says nothing about players who are not on it, and 5,000 of them who read every second need several processors.
 */
const SLOWEST_MS = 30_000

/**
 * Reads the player's score and rank: at once after the player's own doing, and after changes of the board the more
 * rarely the more of them come. At most once a second and one request at a time.
 */
export class StandingReader {
  readonly #environment: Environment
  readonly #read: () => Promise<StandingOutcome>
  #stopped = false
  #isReading = false
  #isAskedAgain = false
  #isBoardChanged = false
  #changedAt = -Infinity
  #notBefore = -Infinity
  /**
   * The mean time between two reads that the board causes. Doubles with each, and starts anew only when the board itself
   * was quiet: a server that answers slowly must not be asked more often.
   */
  #paceMs = INTERVAL_MS
  /** No change of the board causes a read before this. At random, so that players who start together drift apart. */
  #notForBoardBefore = -Infinity
  #failures = 0
  /** The latest time that was read. */
  #seenAt = -Infinity
  #next: { readonly at: number; readonly cancel: () => void } | undefined

  /** `read` sends the request and handles its outcome. */
  constructor(environment: Environment, read: () => Promise<StandingOutcome>) {
    this.#environment = environment
    this.#read = read
  }

  /** Requests a read as soon as the interval allows. */
  readSoon(): void {
    if (this.#isReading) this.#isAskedAgain = true
    else this.#schedule(0, false)
  }

  /** Requests a read because the board has changed: within two seconds, or later if it has often changed of late. */
  readForBoard(): void {
    const now = this.#now()
    if (now - this.#changedAt >= 2 * this.#paceMs) this.#paceMs = INTERVAL_MS
    this.#changedAt = now
    if (this.#isReading) this.#isBoardChanged = true
    else {
      const spreadMs = SPREAD_MS * this.#environment.random()
      this.#schedule(Math.max(spreadMs, this.#notForBoardBefore - now), true)
    }
  }

  /** No read starts after this. Leaves no timer. */
  stop(): void {
    this.#stopped = true
    this.#next?.cancel()
  }

  /** The time. If the clock was set back, the waits that were computed before no longer count. */
  #now(): number {
    const now = this.#environment.now()
    if (now < this.#seenAt) {
      this.#notBefore = -Infinity
      this.#notForBoardBefore = -Infinity
      this.#changedAt = -Infinity
    }
    this.#seenAt = now
    return now
  }

  #schedule(delayMs: number, isForBoard: boolean): void {
    if (this.#stopped) return
    const now = this.#now()
    const at = Math.max(now + delayMs, this.#notBefore)
    if (this.#next && this.#next.at <= at) return
    this.#next?.cancel()
    this.#next = { at, cancel: this.#environment.after(at - now, () => void this.#run(isForBoard)) }
  }

  async #run(isForBoard: boolean): Promise<void> {
    this.#next = undefined
    this.#isReading = true
    this.#isAskedAgain = false
    this.#isBoardChanged = false
    this.#keepPace(isForBoard)
    const outcome = await this.#read()
    this.#isReading = false
    const waitMs = this.#waitMs(outcome)
    if (waitMs !== undefined) this.#notBefore = Math.max(this.#notBefore, this.#now() + waitMs)
    if (waitMs !== undefined || this.#isAskedAgain) this.#schedule(0, false)
    else if (this.#isBoardChanged) this.readForBoard()
  }

  #keepPace(isForBoard: boolean): void {
    const now = this.#now()
    if (isForBoard) this.#paceMs = Math.min(2 * this.#paceMs, SLOWEST_MS)
    this.#notBefore = now + INTERVAL_MS
    this.#notForBoardBefore = now + this.#paceMs * (0.5 + this.#environment.random())
  }

  /** How many ms to wait before the read is repeated; undefined if it need not be. */
  #waitMs(outcome: StandingOutcome): number | undefined {
    switch (outcome.kind) {
      case "unanswered":
        return backoffMs(this.#failures++, this.#environment.random)
      case "limited":
      case "unavailable":
        return outcome.retryAfterSeconds * 1_000
      default:
        this.#failures = 0
        return undefined
    }
  }
}
