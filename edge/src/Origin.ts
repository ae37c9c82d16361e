import type { Visit } from "./Answers.ts"
import type { Plain } from "./Plain.ts"

/** Where the API is, and how it knows us. */
export interface Origin {
  readonly url: string
  readonly secret: string
}

/** Only the edge says who the client is and that it is the edge; hop-by-hop headers end here. */
const OURS =
  /^(?:x-forwarded-|cf-|x-edge-)|^(?:forwarded|x-real-ip|true-client-ip|host|connection|keep-alive|te)$/

/** What the edge adds to every request. `fetch` unpacks bodies, so it asks for none that are packed. */
const introduce = (headers: Headers, { secret }: Origin, { address, url, id }: Visit) => {
  headers.set("x-edge-secret", secret)
  headers.set("x-forwarded-for", address)
  headers.set("x-forwarded-proto", url.protocol.slice(0, -1))
  headers.set("x-request-id", id)
  headers.set("accept-encoding", "identity")
  return headers
}

/** A request as the client sent it, for the origin. */
export const forwarded = (
  origin: Origin,
  visit: Visit,
  body: ArrayBuffer | null,
  signal?: AbortSignal,
): Request => {
  const { request, url } = visit
  const headers = new Headers(request.headers)
  for (const name of Array.from(headers.keys())) if (OURS.test(name)) headers.delete(name)
  // `fetch` writes the origin's own name into `Host`, and the origin compares the two for a WebSocket.
  if (headers.get("upgrade") !== null && headers.get("origin")?.toLowerCase() === url.origin) {
    headers.set("origin", origin.url)
  }
  return new Request(`${origin.url}${url.pathname}${url.search}`, {
    method: request.method,
    headers: introduce(headers, origin, visit),
    body,
    redirect: "manual",
    ...(signal === undefined ? {} : { signal }),
  })
}

/** Whether an answer is the API's own: what stands between us and it answers 5xx with a page of its own. */
export const isOfApi = (response: Response): boolean =>
  response.status < 500 ||
  response.headers.get("content-type")?.startsWith("application/problem+json") === true

/** Belong to one request or one connection, or are written anew for each answer. */
const NOT_KEPT = new Set([
  "x-request-id",
  "strict-transport-security",
  "date",
  "age",
  "set-cookie",
  "cf-ray",
  "cf-cache-status",
  "connection",
  "keep-alive",
  "transfer-encoding",
  "content-length",
  "content-encoding",
])

const plain = async (response: Response, askedAt: number): Promise<Plain> => ({
  askedAt,
  status: response.status,
  headers: Object.fromEntries([...response.headers].filter(([name]) => !NOT_KEPT.has(name))),
  body: await response.arrayBuffer(),
})

/** The longest wait for a shared answer; who asks for it waits less. */
const ASK_MILLIS = 8_000

/**
 * Asks for an answer that many share: nothing of the client goes along but its address, because the API limits by it.
 * Undefined = the origin is unavailable, or does not take us for the edge.
 */
export const ask = async (
  origin: Origin,
  visit: Visit,
  target: string,
  last: Plain | undefined,
): Promise<Plain | undefined> => {
  const askedAt = Date.now()
  const headers = introduce(new Headers(), origin, visit)
  const isPreflight = visit.request.method === "OPTIONS"
  if (visit.allowedOrigin !== undefined) headers.set("origin", visit.allowedOrigin)
  if (isPreflight) headers.set("access-control-request-method", "POST")
  const tag = last?.headers["etag"]
  if (tag !== undefined) headers.set("if-none-match", tag)
  try {
    const response = await fetch(`${origin.url}${target}`, {
      method: isPreflight ? "OPTIONS" : "GET",
      headers,
      redirect: "manual",
      signal: AbortSignal.timeout(ASK_MILLIS),
    })
    const answer = await plain(response, askedAt)
    if (last !== undefined && answer.status === 304) return { ...last, askedAt }
    if (answer.status === 403) {
      console.error("The origin refuses the edge: EDGE_SECRET is none of its secrets")
      return undefined
    }
    return isOfApi(response) ? answer : undefined
  } catch {
    // `fetch` rejects in the same way for every cause; the caller gives the last answer.
    return undefined
  }
}
