/** Longest wait after one failure: a deploy's clients are back within a second, spread over all of it. */
const FIRST_WAIT_MS = 1_000

/** Longest wait after many: 10,000 clients of a dead server knock about 670 times a second, not more. */
const LONGEST_WAIT_MS = 30_000

/**
 * Milliseconds to wait after `failures` failures in a row (0 = the first): uniform between 0 and a bound that
 * doubles from 1 s to 30 s ("full jitter"), so that clients cut off together do not come back together.
 */
export const backoffMs = (failures: number, random: () => number): number =>
  random() * Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures)

/**
 * The seconds a `Retry-After` header asks for, as a number or as a date; undefined when there is none to read.
 * Never negative; at most an hour, whatever was sent.
 */
export const retryAfterSeconds = (header: string | null, now: number): number | undefined => {
  if (header === null || header.trim() === "") return undefined
  const seconds = Number.isNaN(Number(header)) ? (Date.parse(header) - now) / 1_000 : Number(header)
  return Number.isNaN(seconds) ? undefined : Math.min(3_600, Math.max(0, Math.ceil(seconds)))
}
