import { LruMap } from "../../src/foundation/LruMap.ts"
import type { Plain } from "./Plain.ts"

/** Answers up to 64 KiB each, and larger ones. An isolate has 128 MB, `/docs` 3 MB. */
const CAPACITY = 500
const SMALL_BYTES = 64 * 1024
const LARGE_CAPACITY = 10

/** The last answers, in the memory of one isolate. Large ones have a place of their own, so that 500 cannot fill it. */
export class Memory {
  readonly #small = new LruMap<string, Plain>(CAPACITY)
  readonly #large = new LruMap<string, Plain>(LARGE_CAPACITY)

  get(key: string): Plain | undefined {
    return this.#small.get(key) ?? this.#large.get(key)
  }

  set(key: string, answer: Plain): void {
    const isSmall = answer.body.byteLength <= SMALL_BYTES
    const [to, from] = isSmall ? [this.#small, this.#large] : [this.#large, this.#small]
    to.set(key, answer)
    from.delete(key)
  }
}
