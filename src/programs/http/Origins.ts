import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { EXPOSED_HEADERS } from "../../foundation/PublicHttp.ts"
import type { Round, RoundRequest } from "../../services/Listener/ListenerRounds.ts"

/** How long a browser remembers what it may send from another origin. */
const PREFLIGHT_SECONDS = 600

const originOf = (text: string): string | undefined =>
  Result.getOrUndefined(Result.try(() => new URL(text).origin))

/** As a browser sends it: scheme, host and, unless it is the default one, port. */
const Origin = Schema.Trim.check(
  Schema.makeFilter((text) => text !== "null" && originOf(text) === text, {
    expected: "an origin such as https://board.example.com",
  }),
)

/** Some proxies write the default port of http or https into `Host`, which a browser leaves out of `Origin`. */
const DEFAULT_PORT = /:(?:80|443)$/

/** The origins whose pages may call the API from a browser. */
export const originsConfig = {
  origins: Config.Array(Origin, "CORS_ORIGINS").pipe(Config.withDefault([])),
}

type App<E, R> = Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>

/**
 * The rules for pages of other origins. The API has no cookies, so a browser never sends a user's credentials unless the
 * page itself adds them.
 */
export const makeOrigins = Effect.map(Config.all(originsConfig), ({ origins }) => {
  const allowed = new Set(origins)

  /** Adds CORS for the allowed origins; when there are none, the application stays unchanged. */
  const share = <E, R>(app: App<E, R>): App<E, R | HttpServerRequest.HttpServerRequest> =>
    allowed.size === 0
      ? app
      : HttpMiddleware.cors({
          allowedOrigins: (origin) => allowed.has(origin),
          allowedMethods: ["GET", "HEAD", "POST"],
          allowedHeaders: [
            "Authorization",
            "Content-Type",
            "Idempotency-Key",
            "Action-Receipt",
            "X-Request-Id",
          ],
          exposedHeaders: EXPOSED_HEADERS,
          maxAge: PREFLIGHT_SECONDS,
        })(app)

  /** The headers that `share` adds to an answer. */
  const permission = (origin: RoundRequest["headers"][string]) => ({
    ...(typeof origin === "string" && allowed.has(origin) ? { "access-control-allow-origin": origin } : {}),
    vary: "Origin",
    "access-control-expose-headers": EXPOSED_HEADERS.join(","),
  })

  /** What `share` does, for answers that are made in rounds. */
  const shareRound =
    (round: Round): Round =>
    (requests) =>
      allowed.size === 0
        ? round(requests)
        : Effect.map(
            round(requests),
            (answer) => (request) =>
              HttpServerResponse.setHeaders(answer(request), permission(request.headers["origin"])),
          )

  /**
   * Whether a WebSocket may be opened. CORS does not cover WebSockets, so the server checks the `Origin` header itself.
   * A client that sends no `Origin` is not a browser and is let in.
   */
  const admits = (origin: string | undefined, host: string | undefined): boolean => {
    if (origin === undefined || allowed.has(origin)) return true
    const url = Result.getOrUndefined(Result.try(() => new URL(origin)))
    if (url === undefined || url.host === "" || host === undefined) return false
    const named = host.toLowerCase()
    return url.host === named || url.host === named.replace(DEFAULT_PORT, "")
  }

  return { share, shareRound, admits }
})
