import * as Effect from "effect/Effect"
import { databaseUnavailable, Unauthorized } from "../../domain/Errors.ts"
import { HISTORY_PAGE } from "../../domain/PlayerHistory.ts"
import type { Caller } from "../../domain/ScoreboardApi.ts"
import { Sql } from "../../services/Sql/Sql.ts"
import { BoundedReads } from "./BoundedReads.ts"
import { logAndFailWith } from "./PublicFailure.ts"

/** Reads one page of the caller's history, newest entry first. */
export const makeHistory = Effect.gen(function* () {
  const sql = yield* Sql
  const reads = yield* BoundedReads
  return Effect.fnUntraced(function* (
    caller: Caller,
    query: { readonly after?: string | undefined; readonly limit?: number | undefined },
  ) {
    const limit = query.limit ?? HISTORY_PAGE
    const page = yield* sql
      .history({
        userId: caller.userId,
        tokenId: caller.tokenId ?? "",
        after: query.after,
        // One entry more than the page has tells whether there is a next page.
        limit: limit + 1,
      })
      .pipe(Effect.catch(logAndFailWith("A history could not be read", databaseUnavailable)), reads.player)
    if (page.revoked) return yield* new Unauthorized()
    const entries = page.entries.slice(0, limit)
    return {
      score: page.score,
      entries,
      next: page.entries.length > limit ? (entries.at(-1)?.id ?? null) : null,
    }
  })
})
