import { MAX_HEADER_BYTES } from "../../src/foundation/PublicHttp.ts"
import { problem, type Visit } from "./Answers.ts"
import type { Route } from "./Routes.ts"

/** No client of ours has a longer address: a cursor has 40 characters. */
const MAX_URL_BYTES = 2_048

const headerBytes = (headers: Headers): number => {
  let bytes = 0
  // 4 for the colon, the space and the line break.
  for (const [name, value] of headers) bytes += name.length + value.length + 4
  return bytes
}

/** A preflight asks on behalf of a page; for a page of a foreign origin, OPTIONS is a method like any other. */
export const isPreflight = ({ request, allowedOrigin }: Visit) =>
  request.method === "OPTIONS" &&
  allowedOrigin !== undefined &&
  request.headers.has("access-control-request-method")

/** Whether a request opens a WebSocket. */
export const isUpgrade = ({ request }: Visit) => request.headers.get("upgrade")?.toLowerCase() === "websocket"

/** What is refused for its form, before any limit counts it. */
export const malformed = (visit: Visit, route: Route | undefined): Response | undefined => {
  const { request } = visit
  if (request.url.length > MAX_URL_BYTES) return problem(visit, 414)
  if (headerBytes(request.headers) > MAX_HEADER_BYTES) return problem(visit, 431)
  if (route === undefined) return problem(visit, 404)
  return route.methods.includes(request.method) || isPreflight(visit)
    ? undefined
    : problem(visit, 405, { allow: route.methods.join(", ") })
}
