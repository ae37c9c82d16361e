import * as Effect from "effect/Effect"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"

/**
 * Fresh for a second, then stale-while-revalidate for five more: a CDN asks once for all its readers.
 */
export const SHARED_BRIEFLY = "public, max-age=1, stale-while-revalidate=5"

/** Fresh for a second, and then never shown again: for what must disappear within a second. */
export const SHARED_FOR_A_SECOND = "public, max-age=1"

/** Sets `Cache-Control` on the answer of the current request. */
const cacheControl = (value: string) =>
  HttpEffect.appendPreResponseHandler((_request, response) =>
    Effect.succeed(HttpServerResponse.setHeader(response, "cache-control", value)),
  )

/** No cache may store the answer: it contains tokens, or data of one player. */
export const noStore = cacheControl("no-store")
