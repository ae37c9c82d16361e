import {
  EXPOSED_HEADERS,
  SECURITY_HEADERS,
  STRICT_TRANSPORT_SECURITY,
  WELL_FORMED_ID,
} from "../../src/foundation/PublicHttp.ts"
import { originalTag } from "../../src/domain/EntityTag.ts"
import type { Plain } from "./Plain.ts"
import type { Reply } from "./Reads.ts"

/** Who asks, and what every answer to it carries. */
export interface Visit {
  readonly request: Request
  readonly url: URL
  /** The client's id for the request, or a new one. */
  readonly id: string
  /** The client's address, and the network that limits count by. */
  readonly address: string
  readonly network: string
  /** The page's origin, if it is one of `CORS_ORIGINS`. */
  readonly allowedOrigin: string | undefined
  /** Whether there are such origins at all. */
  readonly isShared: boolean
}

/** The id of a request: the client's, if it is well-formed, as the API has it. */
export const idOf = (request: Request): string => {
  const given = request.headers.get("x-request-id")
  return given !== null && WELL_FORMED_ID.test(given) ? given : crypto.randomUUID()
}

const commonHeaders = ({ id, url }: Visit) => ({
  "x-request-id": id,
  ...(url.protocol === "https:" ? STRICT_TRANSPORT_SECURITY : {}),
})

/** What the API's CORS adds to an answer, so that an allowed page can read the edge's own refusals, too. */
const permission = ({ allowedOrigin, isShared }: Visit) => ({
  ...(allowedOrigin === undefined ? {} : { "access-control-allow-origin": allowedOrigin }),
  ...(isShared ? { vary: "Origin", "access-control-expose-headers": EXPOSED_HEADERS.join(",") } : {}),
})

const TITLES: Readonly<Record<number, string>> = {
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  413: "Content Too Large",
  414: "URI Too Long",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  503: "Service Unavailable",
}

/** An answer of the edge itself: a problem document (RFC 9457) that no cache may store. */
export const problem = (
  visit: Visit,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): Response =>
  new Response(JSON.stringify({ type: "about:blank", status, title: TITLES[status] ?? "Error" }), {
    status,
    headers: {
      ...SECURITY_HEADERS,
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      ...commonHeaders(visit),
      ...permission(visit),
      ...headers,
    },
  })

/** The origin cannot be reached: in a few seconds it may be, and not all clients should find out together. */
export const unavailable = (visit: Visit): Response =>
  problem(visit, 503, { "retry-after": String(1 + Math.floor(Math.random() * 3)) })

/** A limit of the edge refuses the request for at most so many seconds. */
export const limited = (visit: Visit, seconds: number): Response =>
  problem(visit, 429, { "retry-after": String(seconds) })

const matches = (ifNoneMatch: string | null, etag: string | undefined) =>
  ifNoneMatch !== null &&
  etag !== undefined &&
  ifNoneMatch
    .split(",")
    .map((tag) => tag.trim())
    .some((tag) => tag === "*" || originalTag(tag) === originalTag(etag))

/** Whether the client says that it has this answer already. */
export const has = ({ request }: Visit, { status, headers }: Plain): boolean =>
  status === 200 && matches(request.headers.get("if-none-match"), headers["etag"])

const HOW = {
  hit: "hit",
  miss: "fwd=miss",
  stale: "hit; detail=stale",
  away: "hit; detail=origin-away",
} as const

/** A kept answer for one request: 304 if the client has it already. `Age` and `Cache-Status` (RFC 9211) tell what it is. */
export const shown = (visit: Visit, reply: Extract<Reply, { readonly answer: unknown }>): Response => {
  const { answer, ageSeconds, from } = reply
  const headers = new Headers({ ...answer.headers, ...commonHeaders(visit) })
  headers.set("age", String(ageSeconds))
  headers.set("cache-status", `edge; ${HOW[from]}`)
  if (has(visit, answer)) {
    headers.delete("content-type")
    return new Response(null, { status: 304, headers })
  }
  const hasBody = visit.request.method !== "HEAD" && answer.status !== 204
  return new Response(hasBody ? answer.body : null, { status: answer.status, headers })
}
