import type { IncomingMessage } from "node:http"
import { SECURITY_HEADERS, STRICT_TRANSPORT_SECURITY } from "../../foundation/PublicHttp.ts"

/** Headers in the order in which they are sent; names in lower case. */
export type HeaderList = ReadonlyArray<{ readonly name: string; readonly value: string }>

const listOf = (headers: Readonly<Record<string, string>>): HeaderList =>
  Object.entries(headers).map(([name, value]) => ({ name, value }))

const commonWith = (more: Readonly<Record<string, string>>) => ({
  plain: listOf({ ...SECURITY_HEADERS, ...more }),
  secure: listOf({ ...SECURITY_HEADERS, ...more, ...STRICT_TRANSPORT_SECURITY }),
})

/** The headers of every answer: for clients whose own connection is TLS (`secure`), and for the others (`plain`). */
export const COMMON_HEADERS = commonWith({})

/** The same while this process shuts down: every answer closes its connection, so clients reconnect elsewhere. */
export const COMMON_HEADERS_CLOSING = commonWith({ connection: "close" })

/**
 * Whether a request has more than one `Authorization` header. Node uses the first one and a proxy may have checked the
 * last one, so such a request must not count as anybody's.
 */
export const hasSeveralAuthorizations = (request: IncomingMessage): boolean => {
  if (request.headers.authorization === undefined) return false
  let seen = 0
  const { rawHeaders } = request
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.length === 13 && rawHeaders[at]?.toLowerCase() === "authorization") seen++
  }
  return seen > 1
}
