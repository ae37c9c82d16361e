/**
 * A bounded number of seats for requests that wait. Each is given back, or free again once its time is over: the runtime
 * never goes on with a request whose client has left.
 */
export class Seats {
  readonly #capacity: number
  // When the time of each is over, in ms since 1970. All wait for about as long, so the first taken is the first over.
  readonly #taken = new Map<symbol, number>()

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** Takes a seat until `until`; the returned function gives it back. Undefined = none is free. */
  take(now: number, until: number): (() => void) | undefined {
    for (const [seat, end] of this.#taken) {
      if (end > now) break
      this.#taken.delete(seat)
    }
    if (this.#taken.size >= this.#capacity) return undefined
    const seat = Symbol()
    this.#taken.set(seat, until)
    return () => void this.#taken.delete(seat)
  }
}
