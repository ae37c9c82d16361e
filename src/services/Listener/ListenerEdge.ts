import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import { randomBytes } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import { SECURITY_HEADERS } from "./ListenerHeaders.ts"

/** Largest request body that is read, from the public contract. */
export const MAX_BODY_BYTES = 16 * 1024

/** Largest sum of all request headers: an access token is about 1 KiB. Node's own default. */
export const MAX_HEADER_BYTES = 16 * 1024

/** What a client may send as its own request id; anything else gets a fresh one. */
const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/

/** Buckets in seconds: a cached answer is under 1 ms, an answer that waits for a dependency under 5 s. */
const requestSeconds = Metric.histogram("http_request_duration_seconds", {
  description: "Time from the arrival of the headers to the last byte of the answer.",
  boundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
})

// Routes, methods and statuses are few, so the handles are kept: attributes are hashed once, not per request.
const handles = new Map<string, Metric.Metric<number, unknown>>()
const handleFor = (method: string, route: string, status: number) => {
  const key = `${method} ${route} ${status}`
  let handle = handles.get(key)
  if (handle === undefined) {
    handle = Metric.withAttributes(requestSeconds, { method, route, status: String(status) })
    handles.set(key, handle)
  }
  return handle
}

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])

// Unique among processes by its random part, within one by its count; cheaper than a UUID per request.
const processId = randomBytes(6).toString("base64url")
let count = 0
const nextRequestId = () => `${processId}-${(count++).toString(36)}`

const problem = (status: number, title: string, detail?: string) =>
  JSON.stringify({ type: "about:blank", status, title, ...(detail === undefined ? {} : { detail }) })

/**
 * Prepares every answer: gives the request its id (header `x-request-id` on both sides), measures it, and
 * answers itself without a Host (400) and when
 * the announced body is too large (413). True when the application is to handle it.
 */
export const admit = (
  request: IncomingMessage,
  response: ServerResponse,
  routeOf: (method: string, path: string) => string,
  context: Context.Context<never>,
): boolean => {
  const given = request.headers["x-request-id"]
  const id = typeof given === "string" && REQUEST_ID.test(given) ? given : nextRequestId()
  request.headers["x-request-id"] = id
  response.setHeader("x-request-id", id)

  const clock = Context.get(context, Clock.Clock)
  const started = clock.currentTimeNanosUnsafe()
  response.once("close", () => {
    const method = request.method !== undefined && METHODS.has(request.method) ? request.method : "other"
    const seconds = Number(clock.currentTimeNanosUnsafe() - started) / 1e9
    // 499: the client left before it had its answer.
    const status = response.writableFinished ? response.statusCode : 499
    handleFor(method, routeOf(method, pathOf(request.url)), status).updateUnsafe(seconds, context)
  })

  // RFC 9112, 3.2
  if (request.headers.host === undefined && request.httpVersion === "1.1") {
    refuse(response, 400, "Bad Request", "The Host header is missing")
    return false
  }
  if (Number(request.headers["content-length"] ?? 0) > MAX_BODY_BYTES) {
    refuse(response, 413, "Content Too Large", `A body may have ${MAX_BODY_BYTES} bytes at most`)
    return false
  }
  return true
}

/** Answers a request without the application, and closes the connection: what follows may not be a request. */
export const refuse = (response: ServerResponse, status: number, title: string, detail?: string) => {
  response.writeHead(status, { "content-type": "application/problem+json", connection: "close" })
  response.end(problem(status, title, detail))
}

/** The path of a request target, without its query. */
export const pathOf = (url: string | undefined): string => {
  if (url === undefined) return "/"
  const query = url.indexOf("?")
  return query === -1 ? url : url.slice(0, query)
}

const MALFORMED: Readonly<Record<string, readonly [status: number, title: string]>> = {
  HPE_HEADER_OVERFLOW: [431, "Request Header Fields Too Large"],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "Request Timeout"],
}

/** Answers what is not HTTP, came too slowly or has too large headers, and closes the connection. */
export const refuseMalformed = (error: Error & { readonly code?: string }, socket: Duplex): void => {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy()
    return
  }
  const [status, title] = MALFORMED[error.code ?? ""] ?? [400, "Bad Request"]
  endRaw(socket, status, title)
}

const SECURITY_LINES = Object.entries(SECURITY_HEADERS).map(([name, value]) => `${name}: ${value}`)

/** Writes a whole HTTP answer on a bare socket (upgrades, broken requests) and closes it. */
export const endRaw = (
  socket: Duplex,
  status: number,
  title: string,
  headers: ReadonlyArray<string> = [],
) => {
  const body = problem(status, title)
  const head = [
    `HTTP/1.1 ${status} ${title}`,
    "Content-Type: application/problem+json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-Id: ${nextRequestId()}`,
    "Connection: close",
    ...SECURITY_LINES,
    ...headers,
  ]
  socket.on("error", () => socket.destroy())
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy())
}
