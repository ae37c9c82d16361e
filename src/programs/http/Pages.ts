import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { databaseUnavailable } from "../../domain/Errors.ts"
import { publicScores } from "../../domain/Messages.ts"
import type { RankPage } from "../../domain/Ranks.ts"
import { makeRecentReads } from "../../foundation/RecentReads.ts"
import { type RankPageRequest, Sql } from "../../services/Sql/Sql.ts"
import { Board } from "../board/Board.ts"
import { BoundedReads } from "./BoundedReads.ts"
import { SHARED_FOR_A_SECOND } from "./CacheControl.ts"
import { logAndFailWith } from "./PublicFailure.ts"

/** How long a page is given again: a player who was hidden is on no page after that. */
const FRESH_MILLIS = 1_000

/** Pages that are remembered, with up to 100 players each: some 2 MB. */
const REMEMBERED = 200

/** A page as it is sent: made once, however many ask for it. */
interface Answers {
  /** From the read that was just made. */
  readonly read: HttpServerResponse.HttpServerResponse
  /**
   * From memory. Its `Age` is its age in seconds, rounded up, so a cache between here and the client does not keep it for
   * a second more.
   */
  readonly remembered: HttpServerResponse.HttpServerResponse
}

const answersOf = (page: RankPage): Answers => {
  const headers = { "cache-control": SHARED_FOR_A_SECOND }
  const answer = HttpServerResponse.text(JSON.stringify(page), { contentType: "application/json", headers })
  return { read: answer, remembered: HttpServerResponse.setHeader(answer, "age", "1") }
}

/** Answers `GET /scores/page`. Requests for the same page share a read, and what it gave for a second. */
export const makePages = Effect.gen(function* () {
  const sql = yield* Sql
  const reads = yield* BoundedReads
  const boardEmail = yield* Board.config.email
  const shown = (page: RankPage): RankPage => ({ ...page, scores: publicScores(page.scores, boardEmail) })

  const recent = makeRecentReads({
    capacity: REMEMBERED,
    freshMillis: FRESH_MILLIS,
    keyOf: ({ after, limit }: RankPageRequest) => `${limit} ${after ?? ""}`,
    read: (request) =>
      sql.page(request).pipe(
        Effect.catch(logAndFailWith("A page of the board could not be read", databaseUnavailable)),
        Effect.map((page) => answersOf(shown(page))),
        reads.page,
      ),
  })
  return (request: RankPageRequest) =>
    Effect.map(recent(request), ({ value, isRemembered }) => (isRemembered ? value.remembered : value.read))
})
