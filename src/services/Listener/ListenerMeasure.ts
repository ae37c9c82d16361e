import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import type { ListenerAnswer } from "./ListenerAnswer.ts"
import { pathOf } from "./ListenerGuards.ts"

/** The label of a request in the metrics: one of few, whatever is asked for. */
export type RouteOf = (method: string, path: string) => string

/** Buckets in seconds: a cached answer is under 1 ms, an answer that waits for a dependency under 5 s. */
const requestSeconds = Metric.histogram("http_request_duration_seconds", {
  description: "Time from the arrival of the headers to the last byte of the answer.",
  boundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
})

type Handle = Metric.Metric<number, unknown>

// Routes, methods and statuses are few, so the handles are kept: attributes are hashed once, not per request. Maps in
// maps, because a key made of all three would be hashed anew each time.
const handles = new Map<string, Map<string, Map<number, Handle>>>()
const handleFor = (method: string, route: string, status: number): Handle => {
  const handle = handles.get(route)?.get(method)?.get(status)
  return handle ?? keepHandle(method, route, status)
}
const keepHandle = (method: string, route: string, status: number) => {
  const handle = Metric.withAttributes(requestSeconds, { method, route, status: String(status) })
  const ofRoute = handles.get(route) ?? new Map<string, Map<number, Handle>>()
  const ofMethod = ofRoute.get(method) ?? new Map<number, Handle>()
  handles.set(route, ofRoute.set(method, ofMethod.set(status, handle)))
  return handle
}

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])

/** Counts answers with the time they took, each by one of `now` and `whenClosed`. */
export interface Measure {
  /** The headers of its request are there. */
  readonly arrived: (response: ListenerAnswer) => void
  /** These, all of one path, are over. */
  readonly now: (responses: ReadonlyArray<ListenerAnswer>) => void
  /** Counts this one when it is over. */
  readonly whenClosed: (response: ListenerAnswer) => void
}

export const makeMeasure = (routeOf: RouteOf, context: Context.Context<never>): Measure => {
  const clock = Context.get(context, Clock.Clock)
  const methodOf = ({ req: { method } }: ListenerAnswer) =>
    method !== undefined && METHODS.has(method) ? method : "other"
  const routeOfAnswer = (response: ListenerAnswer) => routeOf(methodOf(response), pathOf(response.req.url))
  const count = (response: ListenerAnswer, route: string, isWhole: boolean, overAt: bigint) => {
    const seconds = Number(overAt - response.arrivedAt) / 1e9
    // 499: the client left before it had its answer.
    const status = isWhole ? response.statusCode : 499
    handleFor(methodOf(response), route, status).updateUnsafe(seconds, context)
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
    // One function for all answers: many are open at once.
    whenClosed: (response) => response.on("close", onClose),
  }
}
