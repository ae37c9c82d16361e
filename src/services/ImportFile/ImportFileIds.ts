import { hash } from "node:crypto"

/** Slots at the beginning: 1.3 MB. */
const FIRST_SLOTS = 65_536

/** Above this share of full slots, a search would read many of them. */
const FULLEST = 0.7

/** Words of 32 bits in a slot: 128 bits of a digest, and the line. */
const SLOT_WORDS = 5

/** The highest line that a slot holds: no file has more. */
const HIGHEST_LINE = 2 ** 32 - 1

/**
 * Remembers under which line each id was claimed, by 128 bits of its SHA-256 digest, so that two ids are never taken for
 * one. A million ids take 29 to 57 MB, and half as much again while the table grows.
 */
export const makeImportFileIds = () => {
  let words = new Uint32Array(FIRST_SLOTS * SLOT_WORDS)
  let slots = FIRST_SLOTS
  let used = 0

  /** Where this digest is, or the free slot where it belongs. A line of 0 marks a free slot. */
  const find = (a: number, b: number, c: number, d: number): number => {
    for (let slot = a % slots; ; slot = (slot + 1) % slots) {
      const at = slot * SLOT_WORDS
      if (words[at + 4] === 0) return at
      if (words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d) return at
    }
  }

  const put = (at: number, a: number, b: number, c: number, d: number, line: number) => {
    words[at] = a
    words[at + 1] = b
    words[at + 2] = c
    words[at + 3] = d
    words[at + 4] = line
  }

  const grow = () => {
    const before = words
    slots *= 2
    words = new Uint32Array(slots * SLOT_WORDS)
    for (let at = 0; at < before.length; at += SLOT_WORDS) {
      const [a = 0, b = 0, c = 0, d = 0, line = 0] = before.subarray(at, at + SLOT_WORDS)
      if (line !== 0) put(find(a, b, c, d), a, b, c, d, line)
    }
  }

  /** Gives the line under which the id was claimed before; without one, claims it for this line. */
  return (id: string, line: number): number | undefined => {
    const digest = hash("sha256", id, "buffer")
    const [a, b] = [digest.readUInt32LE(0), digest.readUInt32LE(4)]
    const [c, d] = [digest.readUInt32LE(8), digest.readUInt32LE(12)]
    const at = find(a, b, c, d)
    const earlier = words[at + 4] ?? 0
    if (earlier !== 0) return earlier
    put(at, a, b, c, d, Math.min(line, HIGHEST_LINE))
    if (++used > slots * FULLEST) grow()
    return undefined
  }
}
