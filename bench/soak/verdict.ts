import type { Check } from "../checks.ts"
import { p99, type Second, sum, type Timeline } from "./timeline.ts"

/** The share of the capacity, measured just before, that stays goodput while more than that comes. */
const GOODPUT_SHARE = 0.8

/** The worst second is not the usual one: a checkpoint, or another program of the machine. */
const USUAL_SECONDS = 10

/** A queue of a second, a commit that takes as long as its limit, and the way to the client. */
const ACCEPTED_P99_MILLIS = 3_000

/** Load that is cut off in the middle of a second, and connections that open at first. */
const WARM_UP_SECONDS = 3

/** Goodput of the worst ten seconds in a row, by second. */
const worstGoodput = (parts: ReadonlyArray<ReadonlyArray<Second>>) =>
  Math.min(
    ...parts.flatMap((part) => {
      const length = Math.min(USUAL_SECONDS, part.length)
      return Array.from(
        { length: part.length - length + 1 },
        (_, from) => sum(part.slice(from, from + length), ({ goodput }) => goodput) / length,
      )
    }),
  )

/**
 * Judges a run. `failover` = the seconds in which no server took writes at the address, and the five after them, within
 * which goodput must be whole again: only what was accepted, and readiness, count there.
 */
export const judge = (options: {
  readonly timeline: Timeline
  readonly capacity: number
  readonly failover: { readonly from: number; readonly to: number }
  /** What does not hold of the data and the boards afterwards. */
  readonly findings: ReadonlyArray<string>
}): ReadonlyArray<Check> => {
  const { capacity, failover } = options
  const seconds = options.timeline.seconds
  const usual = [seconds.slice(WARM_UP_SECONDS, failover.from), seconds.slice(failover.to)]
  const worst = worstGoodput(usual.filter((part) => part.length > 0))
  const slow = p99(usual.flat(), ({ acceptedMillis }) => acceptedMillis)
  const unready = seconds.filter(({ readiness }) =>
    readiness.some((one) => one === "unavailable" || one === "no answer"),
  )
  const degraded = usual.flat().filter(({ readiness }) => readiness.some((one) => one !== "ready"))
  return [
    {
      what: `goodput of any ${USUAL_SECONDS} seconds outside of the failover ≥ ${GOODPUT_SHARE * 100} % of capacity`,
      found: `${((100 * worst) / capacity).toFixed(0)} %`,
      holds: worst >= GOODPUT_SHARE * capacity,
    },
    {
      what: `p99 of a 200 outside of the failover ≤ ${ACCEPTED_P99_MILLIS} ms`,
      found: slow.toFixed(0),
      holds: slow <= ACCEPTED_P99_MILLIS,
    },
    {
      what: "seconds in which an API was not ready, or did not answer within two seconds = 0",
      found: String(unready.length),
      holds: unready.length === 0,
    },
    {
      what: "seconds outside of the failover in which an API was degraded = 0",
      found: String(degraded.length),
      holds: degraded.length === 0,
    },
    {
      what: "every 200 is in the history once, scores and boards agree with it, the outbox is empty",
      found: options.findings.length === 0 ? "yes" : options.findings.join("; "),
      holds: options.findings.length === 0,
    },
  ]
}
