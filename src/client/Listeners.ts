/**
 * Who wants to hear of a value's changes. A listener that throws is reported as an uncaught error and keeps
 * neither the others nor the caller from going on.
 */
export class Listeners<Value> {
  readonly #listeners = new Set<(value: Value) => void>()

  /** Calls `listener` with `current` at once, then at every `notify`, until the returned function is called. */
  add(listener: (value: Value) => void, current: Value): () => void {
    // Wrapped, so that one function may subscribe twice and each subscription ends on its own.
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
