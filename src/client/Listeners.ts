/**
 * The listeners to a value that changes. If a listener throws, its error is reported as uncaught; the other listeners
 * are still called, and the caller of `notify` does not notice.
 */
export class Listeners<Value> {
  readonly #listeners = new Set<(value: Value) => void>()

  /** Calls `listener` with `current` at once and then on every `notify`, until the returned function is called. */
  add(listener: (value: Value) => void, current: Value): () => void {
    // A wrapper, so that the same function can subscribe twice and each subscription ends separately.
    const entry = (value: Value) => listener(value)
    this.#listeners.add(entry)
    listener(current)
    return () => void this.#listeners.delete(entry)
  }

  notify(value: Value): void {
    for (const listener of this.#listeners) {
      try {
        listener(value)
      } catch (error) {
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }

  clear(): void {
    this.#listeners.clear()
  }
}
