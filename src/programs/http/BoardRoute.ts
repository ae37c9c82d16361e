import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { originalTag } from "../../domain/EntityTag.ts"
import { databaseUnavailable } from "../../domain/Errors.ts"
import type { Round, RoundRequest } from "../../services/Listener/ListenerRounds.ts"
import { Board } from "../board/Board.ts"
import type { ShownBoard } from "../board/ShownBoard.ts"
import { SHARED_BRIEFLY } from "./CacheControl.ts"
import { problemResponse } from "./Problems.ts"

export const BOARD_PATH = "/scores"

/** `GET /scores` in rounds: one read of the board answers every request that arrives while it runs. */
export const boardRound = Effect.gen(function* () {
  const board = yield* Board
  const unavailable = yield* problemResponse(databaseUnavailable)
  const round: Round = (requests) =>
    board.current.pipe(
      Effect.map(
        (shown) =>
          ({ headers }: RoundRequest) =>
            respond(shown, headers["if-none-match"]),
      ),
      Effect.catch((error) =>
        Effect.forEach(
          requests,
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

/** `GET /scores` for the requests that the rounds leave to the router, such as one with a body. */
export const BoardRoute = HttpRouter.use((router) =>
  Effect.flatMap(boardRound, (round) =>
    router.add(
      "GET",
      BOARD_PATH,
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
        Effect.map(round([request]), (answer) => answer(request)),
      ),
    ),
  ),
)

// The two answers of a board are made once, not per request: 200 and 304 carry the same headers.
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

/** RFC 9110, 13.1.2: a list of tags, compared weakly and as they were before a proxy changed them; `*` matches any. */
const matches = (ifNoneMatch: string, etag: string) =>
  ifNoneMatch === etag ||
  ifNoneMatch.split(",").some((tag) => {
    const trimmed = tag.trim()
    return trimmed === "*" || originalTag(trimmed) === etag
  })
