import * as Schema from "effect/Schema"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiError from "effect/http-api/HttpApiError"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import {
  ContentTooLarge,
  Forbidden,
  InvalidReceipt,
  TooManyRequests,
  Unauthorized,
  Unavailable,
} from "./Errors.ts"
import { PublicBoard } from "./Messages.ts"
import { pageLimit } from "./IntegerText.ts"
import { PageCursor, RANK_PAGE, RankPage, Standing } from "./Ranks.ts"

/** The routes under `/scores`, for `ScoreboardApi`, which also says which of them need an access token. */

/** 1 to 255 visible ASCII characters. */
const IdempotencyKey = Schema.String.check(Schema.isPattern(/^[!-~]{1,255}$/u))

const Incremented = Schema.Struct({ message: Schema.Literal("Score incremented") }).annotate({
  identifier: "Incremented",
  description: "The increment is committed.",
})

export const increment = HttpApiEndpoint.post("increment", "/increment", {
  headers: {
    "idempotency-key": Schema.optionalKey(
      IdempotencyKey.annotate({
        description:
          "A key of your choice for one action of the player. A request that repeats a key of the same player within " +
          "24 hours gets the same answer and counts nothing.",
      }),
    ),
    "action-receipt": Schema.optionalKey(
      Schema.String.annotate({
        description:
          "Needed where the operator requires receipts: a compact JWS which proves that the player did an action. " +
          "Each receipt counts once, and the `Idempotency-Key` is then ignored.",
      }),
    ),
  },
  success: Incremented,
  error: [
    Forbidden,
    InvalidReceipt,
    ContentTooLarge,
    Unauthorized.response,
    TooManyRequests.response,
    Unavailable.response,
  ],
}).annotateMerge(
  OpenApi.annotations({
    identifier: "incrementScore",
    summary: "Raise the caller's score by one",
    description:
      "The access token names the player, and the amount is always 1; a body is ignored. " +
      "200 means that the increment is committed and on its way to every open board. " +
      "A 500, a 503 or a lost connection can leave the outcome unknown: repeat the request with the same " +
      "`Idempotency-Key`, and it counts once. A request refused with 401, 403 or 429 has no side effects.",
  }),
)

const boardHeaders = {
  etag: Schema.String.check(Schema.isPattern(/^"[^"]+"$/u)).annotate({
    description:
      'Identifies this board: `"<epoch>-<version>"`, or `"<epoch>-<version>-masked"` where e-mail addresses are ' +
      "masked. Send it as `If-None-Match` to ask for a newer board.",
  }),
}

/** `GET /scores` is declared here for the documents; a route of its own answers it, for speed. */
export const top = HttpApiEndpoint.get("top", "/", {
  headers: {
    "if-none-match": Schema.optionalKey(
      Schema.String.annotate({
        description:
          "The `ETag` of the board that the client shows, a list of such tags, or `*`. The server answers 304 while " +
          "one of them is the current board.",
        examples: ['"6f9619ff-8b86-4d01-b42d-00cf4fc964ff-42"'],
      }),
    ),
  },
  success: [
    HttpApiSchema.WithHeaders(
      PublicBoard.annotate({
        identifier: "Board",
        description: "The best ten scores, highest first.",
        examples: [{ scores: [{ email: "user@example.com", score: 10 }] }],
      }),
      boardHeaders,
    ),
    HttpApiSchema.WithHeaders(
      HttpApiSchema.Empty(304).annotate({ description: "The board is unchanged." }),
      boardHeaders,
    ),
  ],
  error: [HttpApiError.BadRequestProblem, HttpApiError.InternalServerErrorProblem, Unavailable.response],
}).annotateMerge(
  OpenApi.annotations({
    identifier: "getBoard",
    summary: "Get the board",
    description:
      "The best ten scores, highest first. Players with equal scores appear in the order in which they reached the " +
      "score.\n\n" +
      "**Live updates.** Open the WebSocket `/scores/websocket` to receive the board at once, again after every " +
      "change, and at least every 15 seconds. Each text frame has the same JSON as this answer. On " +
      "`/scores/websocket?stamped` a frame also has `epoch` and `version`, the two parts of the ETag " +
      '`"<epoch>-<version>"`. Within an epoch a larger version is a later board; a board of another epoch replaces ' +
      "any. Clients need not send anything.",
  }),
)

export const me = HttpApiEndpoint.get("me", "/me", {
  success: Standing,
  error: [Unauthorized.response, Unavailable.response],
}).annotateMerge(
  OpenApi.annotations({
    identifier: "getStanding",
    summary: "Get the caller's rank and neighbours",
    description:
      "The caller's exact rank among all visible players, and up to five players on either side in board order. " +
      "Equal scores share a rank (1, 2, 2, 4). A caller without a score, or hidden from the board, has no rank, no " +
      "percentile and no neighbours. `place` tells which row of the top ten is the caller's, for the board with the same " +
      "`epoch` and `version`; addresses do not, because two players may have the same one. Please ask at most once a " +
      "second, and less often while the board changes all the time.",
  }),
)

export const page = HttpApiEndpoint.get("page", "/page", {
  query: {
    after: Schema.optionalKey(
      PageCursor.annotate({
        description: "The `next` of the page before. Absent: the page begins with the best player.",
      }),
    ),
    limit: Schema.optionalKey(pageLimit(RANK_PAGE)),
  },
  success: RankPage,
  error: [TooManyRequests.response, Unavailable.response],
}).annotateMerge(
  OpenApi.annotations({
    identifier: "getPage",
    summary: "Read the whole board page by page",
    description:
      "Every visible player in the order of the board, with ranks. `after` remains valid while scores change: a " +
      "player who moves between two requests can be on both pages or on neither. A page may be up to a second old.",
  }),
)
