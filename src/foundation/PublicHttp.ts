/** The rules of the public port. The edge in front keeps them too, in the answers that it makes itself. */

/** The largest request body that is read. From the public contract. */
export const MAX_BODY_BYTES = 16 * 1024

/** The largest sum of all request headers: Node's own default. An access token has about 1 KiB. */
export const MAX_HEADER_BYTES = 16 * 1024

/** A request id that a client may choose. Any other value is replaced by a new id. */
export const WELL_FORMED_ID = /^[A-Za-z0-9._-]{1,64}$/

/**
 * Added to every answer that does not set them itself. Browsers must not guess the type of an answer, must not send our
 * addresses to other sites and, as every answer but the page is data, must not run, load or frame anything in it.
 */
export const SECURITY_HEADERS = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
} as const

/** Sent to browsers that came by TLS: for a year they use TLS only. */
export const STRICT_TRANSPORT_SECURITY = { "strict-transport-security": "max-age=31536000" } as const

/** Headers that a page of another origin may read, besides the ones that browsers always show. */
export const EXPOSED_HEADERS = ["ETag", "Retry-After", "RateLimit", "RateLimit-Policy", "X-Request-Id"]
