import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import type { ListenerAnswer } from "./ListenerAnswer.ts"
import { pathOf } from "./ListenerEdge.ts"

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

/** Measures every answer it is given, from now until it is over. */
export const makeMeasure = (routeOf: RouteOf, context: Context.Context<never>) => {
  const clock = Context.get(context, Clock.Clock)
  // One function for all answers: an answer of less than 20 µs feels a closure of its own.
  const onClose = function (this: ListenerAnswer) {
    const { method: given, url } = this.req
    const method = given !== undefined && METHODS.has(given) ? given : "other"
    const seconds = Number(clock.monotonicTimeNanosUnsafe() - this.arrivedAt) / 1e9
    // 499: the client left before it had its answer.
    const status = this.writableFinished ? this.statusCode : 499
    handleFor(method, routeOf(method, pathOf(url)), status).updateUnsafe(seconds, context)
  }
  return (response: ListenerAnswer) => {
    response.arrivedAt = clock.monotonicTimeNanosUnsafe()
    response.on("close", onClose)
  }
}
