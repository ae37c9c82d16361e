import type { IncomingMessage } from "node:http"

/**
 * On every answer, unless it brings its own: nothing is guessed about its type, no address is passed on, and where it
 * is data (everything but the page) no browser runs, loads or frames anything of it.
 */
export const SECURITY_HEADERS = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
} as const

/** For browsers that came by TLS: they ask by TLS only, for a year. */
const STRICT_TRANSPORT_SECURITY = { "strict-transport-security": "max-age=31536000" } as const

/** Headers in the order in which they are sent; names in lower case. */
export type HeaderList = ReadonlyArray<{ readonly name: string; readonly value: string }>

const listOf = (headers: Readonly<Record<string, string>>): HeaderList =>
  Object.entries(headers).map(([name, value]) => ({ name, value }))

const standingWith = (more: Readonly<Record<string, string>>) => ({
  plain: listOf({ ...SECURITY_HEADERS, ...more }),
  secure: listOf({ ...SECURITY_HEADERS, ...more, ...STRICT_TRANSPORT_SECURITY }),
})

/** On every answer: for clients whose own connection is TLS (`secure`), and for the others. */
export const STANDING = standingWith({})

/** The same while this process is leaving: clients move on by themselves. */
export const STANDING_WHILE_LEAVING = standingWith({ connection: "close" })

/**
 * Whether the header that says who asks came more than once. Node keeps the first, a proxy may have looked at the last:
 * then nobody knows who asks.
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
