import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { databaseAway, InvalidReceipt, Unavailable } from "../../domain/Errors.ts"
import { type Caller, CurrentPlayer, HandledApi } from "../../domain/ScoreboardApi.ts"
import type { Asked, Round } from "../../services/Listener/ListenerRounds.ts"
import { Receipts } from "../../services/Receipts.ts"
import { Board } from "../board/Board.ts"
import type { ShownBoard } from "../board/ShownBoard.ts"
import { Increment } from "../increment/Increment.ts"
import { SHARED_BRIEFLY } from "./CacheControl.ts"
import { Limits } from "./Limits.ts"
import { problemResponse } from "./Problems.ts"

const incremented = { message: "Score incremented" } as const

/** `POST /scores/increment` */
export const ScoresHandlers = HttpApiBuilder.group(HandledApi, "scores", (handlers) =>
  Effect.gen(function* () {
    const increment = yield* Increment
    const limits = yield* Limits
    const receipts = yield* Receipts

    /** Under which key an increment counts once. A receipt's id is one that no client can choose. */
    const keyOf = (
      caller: Caller,
      headers: { readonly "idempotency-key"?: string; readonly "action-receipt"?: string },
    ): Effect.Effect<string | undefined, InvalidReceipt | Unavailable> => {
      if (!receipts.required) return Effect.succeed(headers["idempotency-key"])
      return receipts.verify(headers["action-receipt"] ?? "", caller.userId).pipe(
        Effect.map((id) => `receipt:${id}`),
        Effect.catchTags({
          ReceiptRejected: ({ reason }) =>
            Effect.andThen(
              Effect.logInfo("A receipt was refused", { reason }),
              Effect.fail(new InvalidReceipt()),
            ),
          ReceiptFailure: (error) =>
            Effect.andThen(
              Effect.logError("A receipt could not be checked", error),
              Effect.fail(new Unavailable({ dependency: "receipt keys", retryAfterSeconds: 5 })),
            ),
        }),
      )
    }

    return handlers.handle("increment", ({ headers }) =>
      Effect.flatMap(CurrentPlayer, (caller) =>
        limits.increment(caller.userId).pipe(
          Effect.andThen(keyOf(caller, headers)),
          Effect.flatMap((key) => increment.raise(caller, key)),
          Effect.as(incremented),
        ),
      ),
    )
  }),
)

/** `GET /scores`, beside the contract's machinery: the one route that everybody asks for. */
export const boardRound = Effect.gen(function* () {
  const board = yield* Board
  const unavailable = yield* problemResponse(databaseAway)
  const round: Round = (asked) =>
    board.current.pipe(
      Effect.map(
        (shown) =>
          ({ headers }: Asked) =>
            respond(shown, headers["if-none-match"]),
      ),
      Effect.catch((error) =>
        Effect.forEach(
          asked,
          ({ headers }) =>
            Effect.logError("The board could not be read", error).pipe(
              Effect.annotateLogs("requestId", headers["x-request-id"]),
            ),
          { discard: true },
        ).pipe(Effect.as(() => unavailable)),
      ),
    )
  return round
})

/** The same as a route: for what the rounds leave to the application, such as a request with a body. */
export const BoardRoute = HttpRouter.use((router) =>
  Effect.flatMap(boardRound, (round) =>
    router.add(
      "GET",
      "/scores",
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
        Effect.map(round([request]), (answer) => answer(request)),
      ),
    ),
  ),
)

// The answers to one board are made once: 200 and 304 carry the same headers.
const answers = new WeakMap<
  ShownBoard,
  readonly [ok: HttpServerResponse.HttpServerResponse, notModified: HttpServerResponse.HttpServerResponse]
>()

const respond = (shown: ShownBoard, ifNoneMatch: string | ReadonlyArray<string> | undefined) => {
  let pair = answers.get(shown)
  if (pair === undefined) {
    const headers = { etag: shown.etag, "cache-control": SHARED_BRIEFLY }
    pair = [
      HttpServerResponse.text(shown.json, { contentType: "application/json", headers }),
      HttpServerResponse.empty({ status: 304, headers }),
    ]
    answers.set(shown, pair)
  }
  return typeof ifNoneMatch === "string" && matches(ifNoneMatch, shown.etag) ? pair[1] : pair[0]
}

/** RFC 9110, 13.1.2: a list of tags, compared weakly; `*` matches any. */
const matches = (ifNoneMatch: string, etag: string) =>
  ifNoneMatch === etag ||
  ifNoneMatch.split(",").some((tag) => {
    const trimmed = tag.trim()
    return trimmed === "*" || trimmed === etag || trimmed === `W/${etag}`
  })
