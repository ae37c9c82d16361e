import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpApiSecurity from "effect/http-api/HttpApiSecurity"
import * as OpenApi from "effect/http-api/OpenApi"
import { TooManyRequests, Unauthorized, Unavailable } from "./Errors.ts"
import { completeDocument } from "./OpenApiDocument.ts"
import type { UserId } from "./Score.ts"
import { increment, me, page, top } from "./ScoresEndpoints.ts"
import { history, login, logout, refresh } from "./UsersEndpoints.ts"

/** The player who sent a request, according to the verified access token. */
export interface Caller {
  readonly userId: UserId
  /** The signed `email` claim. Cognito's own access tokens have none. */
  readonly email: string | undefined
  /**
   * What a logout revokes: the id of the sign-in, which all tokens refreshed from it share; else the id of the token.
   */
  readonly tokenId: string | undefined
  /** Whether `tokenId` is the id of the sign-in. */
  readonly isTokenIdShared: boolean
  /** When the player signed in, in seconds since 1970. A refresh keeps it. */
  readonly signedInAtSeconds: number
  /** When the token expires, in seconds since 1970. */
  readonly expiresAtSeconds: number
  /** The token itself, for the one call that needs it (the profile of a new player). Never logged. */
  readonly accessToken: string
}

/** The caller of an authorised request. */
export class CurrentPlayer extends Context.Service<CurrentPlayer, Caller>()(
  "scoreboard/domain/CurrentPlayer",
) {}

/**
 * Ends the sign-in of the access token, whatever the rest of the request looks like: it runs before the body is decoded.
 * 503 if that could not be stored. `EndedSignIn` waits for it, and tells whether the sign-in had been ended before.
 */
export class EndsSignIn extends HttpApiMiddleware.Service<
  EndsSignIn,
  { requires: CurrentPlayer; provides: EndedSignIn }
>()("scoreboard/domain/EndsSignIn", { error: [Unauthorized.response, Unavailable.response] }) {}

/** Whether the caller's sign-in had been ended before this request. Waits until it is ended. */
export class EndedSignIn extends Context.Service<EndedSignIn, Effect.Effect<boolean, Unavailable>>()(
  "scoreboard/domain/EndedSignIn",
) {}

/** Bearer authorisation: 401 for a missing, malformed or refused token, 503 while the keys cannot be fetched. */
export class Authorization extends HttpApiMiddleware.Service<Authorization, { provides: CurrentPlayer }>()(
  "scoreboard/domain/Authorization",
  {
    security: {
      bearer: HttpApiSecurity.bearer.pipe(
        HttpApiSecurity.annotateMerge(
          OpenApi.annotations({
            format: "JWT",
            description:
              "The `accessToken` of a sign-in or of a refresh. Its `sub`, and `jti` or `origin_jti` where it has them, " +
              "are texts of 1 to 255 characters without control characters.",
          }),
        ),
      ),
    },
    error: [Unauthorized.response, TooManyRequests.response, Unavailable.response],
    requiredForClient: true,
  },
) {}

class UsersGroup extends HttpApiGroup.make("users")
  .add(
    login,
    refresh,
    logout.middleware(EndsSignIn).middleware(Authorization),
    history.middleware(Authorization),
  )
  .prefix("/users")
  .annotateMerge(OpenApi.annotations({ description: "Sign-ins, and the caller's own history." })) {}

class ScoresGroup extends HttpApiGroup.make("scores")
  .add(increment.middleware(Authorization))
  .prefix("/scores")
  .annotateMerge(OpenApi.annotations({ description: "Raising a score." })) {}

class RanksGroup extends HttpApiGroup.make("ranks")
  .add(me.middleware(Authorization), page)
  .prefix("/scores")
  .annotateMerge(OpenApi.annotations({ description: "Places beyond the top ten." })) {}

class BoardGroup extends HttpApiGroup.make("board")
  .add(top)
  .prefix("/scores")
  .annotateMerge(OpenApi.annotations({ description: "The top ten, live." })) {}

/** The routes that `HttpApi` answers: all but the board and the WebSocket. */
export class HandledApi extends HttpApi.make("scoreboard")
  .add(UsersGroup)
  .add(ScoresGroup)
  .add(RanksGroup)
  .middleware(HttpApiMiddleware.ProblemDetails) {}

/** The whole public contract: what `/openapi.json`, `/docs` and a derived client show. */
export class ScoreboardApi extends HandledApi.add(BoardGroup).annotateMerge(
  OpenApi.annotations({
    title: "Scoreboard",
    version: "1",
    summary: "A live top-10 score board.",
    description:
      "Players sign in, do actions and raise their scores; everyone sees the ten best scores change live.\n\n" +
      "**Errors** are problem documents (RFC 9457) of the type `application/problem+json`; tell them apart by " +
      "`type`, not by `title`. Beside the errors that an operation lists, any request can get 404 (no such path), " +
      "405 (the path has other methods: see `Allow`), 408 (the request came too slowly), 417 (an unknown `Expect`) " +
      "or 431 (the headers exceed 16 KiB).\n\n" +
      "**Requests.** A JSON object may have members that the contract does not name; the server ignores them, as it " +
      "ignores unknown query parameters. Every GET also answers HEAD.\n\n" +
      "**Answers** have an `X-Request-Id`. Name it when you report a problem.",
    license: { name: "MIT", identifier: "MIT" },
    servers: [{ url: "/", description: "The server that sent this document." }],
    transform: completeDocument,
  }),
) {}
