/** Longest wait after one failure: after a deployment, clients reconnect within a second, spread evenly over it. */
const FIRST_WAIT_MS = 1_000

/** Longest wait after many failures: 10,000 clients of a dead server then make about 670 attempts a second. */
const LONGEST_WAIT_MS = 30_000

/**
 * Milliseconds to wait before the next attempt, after `failures` earlier failures in a row (0 = this is the first).
 * Uniform between 0 and a bound that doubles from 1 s to 30 s ("full jitter"), so that clients that lost their
 * connections together do not all reconnect together.
 */
export const backoffMs = (failures: number, random: () => number): number =>
  random() * Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures)

/**
 * The wait that a `Retry-After` header asks for, as a number of seconds or as a date. Returns whole seconds, rounded
 * up, from 0 to 3,600 (an hour); undefined if the header is missing or malformed. `now` is in ms since 1970.
 */
export const retryAfterSeconds = (header: string | null, now: number): number | undefined => {
  if (header === null || header.trim() === "") return undefined
  const seconds = Number.isNaN(Number(header)) ? (Date.parse(header) - now) / 1_000 : Number(header)
  return Number.isNaN(seconds) ? undefined : Math.min(3_600, Math.max(0, Math.ceil(seconds)))
}
