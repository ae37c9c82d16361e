import * as Effect from "effect/Effect"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"

/** Fresh for a second, then usable for five more while a cache asks again: many readers are one behind a CDN. */
export const SHARED_BRIEFLY = "public, max-age=1, stale-while-revalidate=5"

/** Sets `Cache-Control` on the answer of the request that runs it. */
export const cacheControl = (value: string) =>
  HttpEffect.appendPreResponseHandler((_request, response) =>
    Effect.succeed(HttpServerResponse.setHeader(response, "cache-control", value)),
  )

/** No cache keeps the answer: it holds tokens, or what one player alone may see. */
export const noStore = cacheControl("no-store")
