import { backoffMs } from "./Backoff.ts"
import type { Environment } from "./Environment.ts"
import type { StandingOutcome } from "./StandingRequest.ts"

/** Between the starts of two reads. `GET /scores/me` asks its clients to read at most once a second. */
const INTERVAL_MS = 1_000

/** Reads the player's score and rank on demand, at most once a second and one request at a time. */
export class StandingReader {
  readonly #environment: Environment
  readonly #read: () => Promise<StandingOutcome>
  #stopped = false
  #isReading = false
  #isAskedAgain = false
  #notBefore = -Infinity
  #failures = 0
  #next: { readonly at: number; readonly cancel: () => void } | undefined

  /** `read` sends the request and handles its outcome. */
  constructor(environment: Environment, read: () => Promise<StandingOutcome>) {
    this.#environment = environment
    this.#read = read
  }

  /**
   * Requests a read as soon as the interval allows, delayed by a random time of up to `spreadMs`: players who learn of
   * a change at the same moment should not all read at the same moment.
   */
  readSoon(spreadMs = 0): void {
    if (this.#isReading) this.#isAskedAgain = true
    else this.#schedule(spreadMs * this.#environment.random())
  }

  /** No read starts after this. Leaves no timer. */
  stop(): void {
    this.#stopped = true
    this.#next?.cancel()
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return
    const now = this.#environment.now()
    const at = Math.max(now + delayMs, this.#notBefore)
    if (this.#next && this.#next.at <= at) return
    this.#next?.cancel()
    this.#next = { at, cancel: this.#environment.after(at - now, () => void this.#run()) }
  }

  async #run(): Promise<void> {
    this.#next = undefined
    this.#isReading = true
    this.#isAskedAgain = false
    this.#notBefore = this.#environment.now() + INTERVAL_MS
    const outcome = await this.#read()
    this.#isReading = false
    const waitMs = this.#waitMs(outcome)
    if (waitMs !== undefined) this.#notBefore = Math.max(this.#notBefore, this.#environment.now() + waitMs)
    if (waitMs !== undefined || this.#isAskedAgain) this.#schedule(0)
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
