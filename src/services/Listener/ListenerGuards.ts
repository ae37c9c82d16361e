import { randomBytes } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import { MAX_BODY_BYTES, SECURITY_HEADERS, WELL_FORMED_ID } from "../../foundation/PublicHttp.ts"

/** The header that carries the id of a request, in the request and in its answer. */
export const REQUEST_ID = "x-request-id"

// The random part differs between processes, the count within one. Cheaper than a UUID per request.
const processId = randomBytes(6).toString("base64url")
let count = 0
const nextRequestId = () => `${processId}-${(count++).toString(36)}`

const problem = (status: number, title: string, detail?: string) =>
  JSON.stringify({ type: "about:blank", status, title, ...(detail === undefined ? {} : { detail }) })

/** Gives a request its id, the client's or a new one, and stores it in the headers of the request. */
export const assignRequestId = (request: IncomingMessage): string => {
  const given = request.headers[REQUEST_ID]
  const id = typeof given === "string" && WELL_FORMED_ID.test(given) ? given : nextRequestId()
  request.headers[REQUEST_ID] = id
  return id
}

/**
 * Refuses a request without a Host header (400) or with too large an announced body (413). True when the request was not
 * refused and the application has to handle it.
 */
export const admit = (request: IncomingMessage, response: ServerResponse): boolean => {
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

/** Answers a request without the application and closes the connection: the bytes that follow may not be a request. */
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

/** Answers a request that is not HTTP, arrived too slowly or has too large headers, and closes the connection. */
export const refuseMalformed = (error: Error & { readonly code?: string }, socket: Duplex): void => {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy()
    return
  }
  const [status, title] = MALFORMED[error.code ?? ""] ?? [400, "Bad Request"]
  endRaw(socket, status, title)
}

const SECURITY_LINES = Object.entries(SECURITY_HEADERS).map(([name, value]) => `${name}: ${value}`)

/** Writes a whole HTTP answer to a socket without a response object (upgrades, malformed requests) and closes it. */
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
