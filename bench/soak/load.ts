import { openLoop } from "../http.ts"
import type { IncrementRequest } from "../cells/increments.ts"
import type { Timeline } from "./timeline.ts"

/** A part of the load, in seconds: what it holds in memory goes when its last answer came. */
const PART_SECONDS = 10

/** Of each part to each port: a second and a half of requests that wait, on a fast machine. */
const MOST_CONNECTIONS = 3000

/** Which requests were answered 200, by the number of the request. */
export interface Answers {
  readonly accepted: ReadonlySet<number>
  /** How many were sent. */
  readonly sent: number
}

/** Requests come at a fixed rate to every port in turn, whatever becomes of them, and are not repeated. */
export const offer = async (options: {
  readonly ports: ReadonlyArray<number>
  readonly ratePerSecond: number
  readonly seconds: number
  readonly request: IncrementRequest
  readonly timeline: Timeline
}): Promise<Answers> => {
  const { ports, timeline } = options
  const accepted = new Set<number>()
  const parts: Array<Promise<unknown>> = []
  const begun = performance.now()
  let sent = 0
  for (let from = 0; from < options.seconds; from += PART_SECONDS) {
    const seconds = Math.min(PART_SECONDS, options.seconds - from)
    const ratePerSecond = options.ratePerSecond / ports.length
    for (const port of ports) {
      const first = sent
      sent += Math.round(ratePerSecond * seconds)
      parts.push(
        openLoop({
          ports: [port],
          ratePerSecond,
          seconds,
          mostConnections: MOST_CONNECTIONS,
          request: (n) => options.request(first + n),
          started: () => timeline.offered(),
          answered: (n, status, millis) => {
            if (status === 200) accepted.add(first + n)
            timeline.answered(status, millis)
          },
        }),
      )
    }
    const next = begun + (from + seconds) * 1000
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - performance.now())))
  }
  await Promise.all(parts)
  return { accepted, sent }
}
