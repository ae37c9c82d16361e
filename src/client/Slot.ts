type Stop = () => void

/** Runs at most one thing at a time, such as a socket, a poller or a timer. */
export class Slot {
  #key: number | boolean = false
  #stop: Stop = () => {}

  /**
   * Makes what runs belong to `key`. If the key is the same as before, nothing happens. Otherwise stops what runs and
   * calls `start`, which returns a function that stops it again. For the key `false`, nothing is started.
   */
  keep<Key extends number | true>(key: Key | false, start: (key: Key) => Stop): void {
    if (key === this.#key) return
    this.#stop()
    this.#key = key
    this.#stop = key === false ? () => {} : start(key)
  }
}
