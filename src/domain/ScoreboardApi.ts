import * as Context from "effect/Context"
import * as Schema from "effect/Schema"
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as HttpApiSecurity from "effect/http-api/HttpApiSecurity"
import * as OpenApi from "effect/http-api/OpenApi"
import {
  Forbidden,
  InvalidCredentials,
  InvalidReceipt,
  InvalidRefreshToken,
  TooManyRequests,
  Unauthorized,
  Unavailable,
} from "./Errors.ts"
import { PublicBoard } from "./Messages.ts"
import { PageCursor, RANK_PAGE, RankPage, Standing } from "./Ranks.ts"
import { Count, type UserId } from "./Score.ts"

/** Who sent the request, as the verified access token says. */
export interface Caller {
  readonly userId: UserId
  /** The signed `email` claim; Cognito's own access tokens carry none. */
  readonly email: string | undefined
  /** By which a logout revokes it: the sign-in's id, which all tokens refreshed from it share, else the token's. */
  readonly tokenId: string | undefined
  /** When the token expires, in seconds since 1970. */
  readonly expiresAtSeconds: number
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
    error: [Unauthorized.response, TooManyRequests.response, Unavailable.response],
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

const RefreshToken = Schema.NonEmptyString.annotate({ description: "As the sign-in gave it" })

const refresh = HttpApiEndpoint.post("refresh", "/auth/refresh", {
  payload: Schema.Struct({ refreshToken: RefreshToken }),
  success: Schema.Struct({
    accessToken: Schema.String,
    refreshToken: Schema.optionalKey(
      Schema.String.annotate({
        description: "Takes the place of the one that was sent; absent: that one stays good",
      }),
    ),
  }),
  error: [InvalidRefreshToken.response, TooManyRequests.response, Unavailable.response],
}).annotateMerge(
  OpenApi.annotations({
    title: "Get a new access token",
    description: "For when the access token has expired: a refresh token holds much longer.",
  }),
)

const logout = HttpApiEndpoint.post("logout", "/auth/logout", {
  payload: Schema.Struct({ refreshToken: RefreshToken }),
  success: HttpApiSchema.NoContent,
  error: [Unauthorized.response, Unavailable.response],
})
  .middleware(Authorization)
  .annotateMerge(
    OpenApi.annotations({
      title: "Sign out",
      description:
        "Ends the sign-in: its access tokens and the refresh token are refused from now on, by every server. " +
        "503: one of the two could not be ended; send it again, with the same tokens.",
    }),
  )

/** The most history entries of one page. */
export const HISTORY_PAGE = 100

/** A point in a player's history; opaque to clients, who get it as `next`. */
const Cursor = Schema.String.check(Schema.isPattern(/^[1-9][0-9]{0,18}$/))

const HistoryEntry = Schema.Struct({
  id: Cursor,
  /** When it was committed: ISO 8601, UTC. */
  at: Schema.String,
  /** What was added: 1 for an increment. */
  amount: Schema.Int,
  /** The player's score after it. */
  score: Count,
})

/** A page of a player's history, newest first, and the score as it is now. */
const History = Schema.Struct({
  score: Count,
  entries: Schema.Array(HistoryEntry),
  /** `after` of the next page; null on the last one. */
  next: Schema.NullOr(Cursor),
})

/** How many of a list a page shall have. */
const limitUpTo = (maximum: number) =>
  Schema.optionalKey(Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum })))

const history = HttpApiEndpoint.get("history", "/me/history", {
  query: {
    after: Schema.optionalKey(Cursor),
    limit: limitUpTo(HISTORY_PAGE),
  },
  success: History,
  error: [Unauthorized.response, Unavailable.response],
})
  .middleware(Authorization)
  .annotateMerge(
    OpenApi.annotations({
      title: "The caller's action history",
      description:
        "Every change of the caller's score, newest first; the amounts of all pages sum to the score. " +
        "`after` = the `next` of the page before.",
    }),
  )

/** 1 to 255 visible ASCII characters. */
const IdempotencyKey = Schema.String.check(Schema.isPattern(/^[\x21-\x7e]{1,255}$/))

const increment = HttpApiEndpoint.post("increment", "/increment", {
  headers: {
    "idempotency-key": Schema.optionalKey(
      IdempotencyKey.annotate({ description: "A repeat under the same key within 24 hours counts nothing" }),
    ),
    "action-receipt": Schema.optionalKey(
      Schema.String.annotate({
        description:
          "Where receipts are required: a compact JWS that shows that the player did an action. Counts once",
      }),
    ),
  },
  success: Schema.Struct({ message: Schema.Literal("Score incremented") }),
  error: [Forbidden, InvalidReceipt, Unauthorized.response, TooManyRequests.response, Unavailable.response],
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
const top = HttpApiEndpoint.get("top", "/", {
  success: [PublicBoard, HttpApiSchema.Empty(304)],
  error: Unavailable.response,
}).annotateMerge(
  OpenApi.annotations({
    title: "The board",
    description:
      "The best ten scores, highest first; equal scores in the order in which they were reached. " +
      "Carries an ETag; `If-None-Match` is answered with 304 while the board is unchanged. " +
      "Changes are pushed as text frames of the same shape on the WebSocket `/scores/websocket`; on " +
      "`/scores/websocket?stamped` a frame has `epoch` and `version` beside `scores`, the two parts of the ETag " +
      '`"<epoch>-<version>"`. Within an epoch a larger version is a later board; another epoch replaces any.',
  }),
)

const me = HttpApiEndpoint.get("me", "/me", {
  success: Standing,
  error: [Unauthorized.response, Unavailable.response],
})
  .middleware(Authorization)
  .annotateMerge(
    OpenApi.annotations({
      title: "Where the caller stands",
      description:
        "The caller's exact rank among all visible players, and up to five players on either side in board order, " +
        "best first. Equal scores share a rank (1, 2, 2, 4). `players` are the visible players with at least one " +
        'point; `percentile` is 100 × rank ÷ players, at most 100, not rounded: the x of "top x %". `rank` and ' +
        "`percentile` are null, and there are no neighbours, for a caller without a score or hidden from the board. " +
        "`place` is the caller's row on the top ten, 1 to 10, or null; it is valid for the board with the same `epoch` " +
        "and `version`. Addresses do not identify a row, because two players may have the same one. " +
        "Never cached; ask at most once a second.",
    }),
  )

const page = HttpApiEndpoint.get("page", "/page", {
  query: {
    after: Schema.optionalKey(PageCursor),
    limit: limitUpTo(RANK_PAGE),
  },
  success: RankPage,
  error: Unavailable.response,
}).annotateMerge(
  OpenApi.annotations({
    title: "The whole board, page by page",
    description:
      "Every visible player in the order of the board, with ranks. `after` = the `next` of the page before; it is " +
      "opaque, and it stays valid while scores change: a player who moves between two requests can be on both " +
      "pages or on none. `limit` is at most 100, which is also the default. May be cached for a second.",
  }),
)

class UsersGroup extends HttpApiGroup.make("users").add(login, refresh, logout, history).prefix("/users") {}
class ScoresGroup extends HttpApiGroup.make("scores").add(increment).prefix("/scores") {}
class RanksGroup extends HttpApiGroup.make("ranks").add(me, page).prefix("/scores") {}
class BoardGroup extends HttpApiGroup.make("board").add(top).prefix("/scores") {}

/** The routes that are answered through the contract: everything but the board and the WebSocket. */
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
    description: "A live top-10 score board. Errors are problem documents (RFC 9457).",
  }),
) {}
