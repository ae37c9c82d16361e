import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import type { ListenerAnswer } from "./ListenerAnswer.ts"
import { pathOf } from "./ListenerGuards.ts"

/** The `route` label of a request in the metrics: one of a few values, whatever path a client asks for. */
export type RouteOf = (method: string, path: string) => string

/** Buckets in seconds: a cached answer takes less than 1 ms, one that waits for a dependency less than 5 s. */
const requestSeconds = Metric.histogram("http_request_duration_seconds", {
  description: "Time from the arrival of the headers to the last byte of the answer.",
  boundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
})

type Series = Metric.Metric<number, unknown>

// There are few routes, methods and statuses, so the series are stored: attributes are hashed once, not per request. They
// are maps in maps, because a key made of all three would be hashed for every request.
const series = new Map<string, Map<string, Map<number, Series>>>()
const seriesFor = (method: string, route: string, status: number): Series => {
  const known = series.get(route)?.get(method)?.get(status)
  return known ?? addSeries(method, route, status)
}
const addSeries = (method: string, route: string, status: number) => {
  const added = Metric.withAttributes(requestSeconds, { method, route, status: String(status) })
  const ofRoute = series.get(route) ?? new Map<string, Map<number, Series>>()
  const ofMethod = ofRoute.get(method) ?? new Map<number, Series>()
  series.set(route, ofRoute.set(method, ofMethod.set(status, added)))
  return added
}

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])

/** Counts answers with the time they took. Each answer is given to either `now` or `whenClosed`, once. */
export interface Measure {
  /** The headers of the request have arrived. */
  readonly arrived: (response: ListenerAnswer) => void
  /** Counts answers to one path that are over. */
  readonly now: (responses: ReadonlyArray<ListenerAnswer>) => void
  /** Counts an answer when it is over. */
  readonly whenClosed: (response: ListenerAnswer) => void
}

export const makeMeasure = (routeOf: RouteOf, context: Context.Context<never>): Measure => {
  const clock = Context.get(context, Clock.Clock)
  const methodOf = ({ req: { method } }: ListenerAnswer) =>
    method !== undefined && METHODS.has(method) ? method : "other"
  const routeOfAnswer = (response: ListenerAnswer) => routeOf(methodOf(response), pathOf(response.req.url))
  const count = (response: ListenerAnswer, route: string, isWhole: boolean, overAt: bigint) => {
    const seconds = Number(overAt - response.arrivedAt) / 1e9
    // 499: the client left before the whole answer was sent.
    const status = isWhole ? response.statusCode : 499
    seriesFor(methodOf(response), route, status).updateUnsafe(seconds, context)
  }
  const onClose = function (this: ListenerAnswer) {
    count(this, routeOfAnswer(this), this.writableFinished, clock.monotonicTimeNanosUnsafe())
  }
  return {
    arrived: (response) => {
      response.arrivedAt = clock.monotonicTimeNanosUnsafe()
    },
    now: (responses) => {
      const [first] = responses
      if (first === undefined) return
      const route = routeOfAnswer(first)
      const overAt = clock.monotonicTimeNanosUnsafe()
      for (const response of responses) count(response, route, response.writableEnded, overAt)
    },
    // One function for all answers, because many are open at the same time.
    whenClosed: (response) => response.on("close", onClose),
  }
}
