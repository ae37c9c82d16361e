import * as Context from "effect/Context"
import * as Schema from "effect/Schema"
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpApiSecurity from "effect/http-api/HttpApiSecurity"
import * as OpenApi from "effect/http-api/OpenApi"
import { Forbidden, InvalidCredentials, TooManyRequests, Unauthorized, Unavailable } from "./Errors.ts"
import { PublicBoard } from "./Messages.ts"
import type { UserId } from "./Score.ts"

/** Who sent the request, as the verified access token says. */
export interface Caller {
  readonly userId: UserId
  /** The signed `email` claim; Cognito's own access tokens carry none. */
  readonly email: string | undefined
  /** The token's `jti`, by which a logout revokes it. */
  readonly tokenId: string | undefined
  /** The token itself, for the one call that needs it (the profile of a new player). Never logged. */
  readonly accessToken: string
}

/** The caller of an authorised request. */
export class CurrentPlayer extends Context.Service<CurrentPlayer, Caller>()(
  "scoreboard/domain/CurrentPlayer",
) {}

/** Bearer authorisation: a missing, malformed or refused token is 401, keys that cannot be had are 503. */
export class Authorization extends HttpApiMiddleware.Service<Authorization, { provides: CurrentPlayer }>()(
  "scoreboard/domain/Authorization",
  {
    security: { bearer: HttpApiSecurity.bearer },
    error: [Unauthorized.response, Unavailable.response],
    requiredForClient: true,
  },
) {}

const login = HttpApiEndpoint.post("login", "/auth/login", {
  payload: Schema.Struct({
    email: Schema.NonEmptyString.annotate({ description: "The address the account was made with" }),
    password: Schema.NonEmptyString,
  }),
  success: Schema.Struct({ accessToken: Schema.String, refreshToken: Schema.String }),
  error: [InvalidCredentials.response, TooManyRequests.response, Unavailable.response],
}).annotateMerge(
  OpenApi.annotations({
    title: "Sign in",
    description:
      "Authenticates with e-mail and password. Tokens are issued by the identity provider (Cognito). " +
      "An unknown e-mail and a wrong password get the same answer.",
  }),
)

const increment = HttpApiEndpoint.post("increment", "/increment", {
  success: Schema.Struct({ message: Schema.Literal("Score incremented") }),
  error: [Forbidden, Unauthorized.response, Unavailable.response],
})
  .middleware(Authorization)
  .annotateMerge(
    OpenApi.annotations({
      title: "Raise the caller's score by one",
      description:
        "The player is the one in the token and the amount is always 1; a body is ignored. " +
        "200 means: committed and on its way to every open board.",
    }),
  )

/** `GET /scores`: declared here for the documents; answered by a route of its own for speed. */
const top = HttpApiEndpoint.get("top", "/", { success: PublicBoard }).annotateMerge(
  OpenApi.annotations({
    title: "The board",
    description:
      "The best ten scores, highest first; equal scores in the order in which they were reached. " +
      "Carries an ETag; `If-None-Match` is answered with 304 while the board is unchanged. " +
      "Changes are pushed as text frames of the same shape on the WebSocket `/scores/websocket`.",
  }),
)

class UsersGroup extends HttpApiGroup.make("users").add(login).prefix("/users") {}
class ScoresGroup extends HttpApiGroup.make("scores").add(increment).prefix("/scores") {}
class BoardGroup extends HttpApiGroup.make("board").add(top).prefix("/scores") {}

/** The routes that are answered through the contract: everything but the board and the WebSocket. */
export class HandledApi extends HttpApi.make("scoreboard")
  .add(UsersGroup)
  .add(ScoresGroup)
  .middleware(HttpApiMiddleware.ProblemDetails) {}

/** The whole public contract: what `/openapi.json`, `/docs` and a derived client show. */
export class ScoreboardApi extends HandledApi.add(BoardGroup).annotateMerge(
  OpenApi.annotations({
    title: "Scoreboard",
    version: "1",
    description: "A live top-10 score board. Errors are problem documents (RFC 9457).",
  }),
) {}
