import * as Effect from "effect/Effect"
import { databaseUnavailable, Unauthorized } from "../../domain/Errors.ts"
import { HISTORY_PAGE } from "../../domain/PlayerHistory.ts"
import type { Caller } from "../../domain/ScoreboardApi.ts"
import { Sql } from "../../services/Sql/Sql.ts"
import { logAndFailWith } from "./PublicFailure.ts"

/** Reads one page of the caller's history, newest entry first. */
export const makeHistory = Effect.map(Sql, (sql) =>
  Effect.fnUntraced(function* (
    caller: Caller,
    query: { readonly after?: string | undefined; readonly limit?: number | undefined },
  ) {
    const limit = query.limit ?? HISTORY_PAGE
    const page = yield* Effect.catch(
      sql.history({
        userId: caller.userId,
        tokenId: caller.tokenId,
        signedInAtSeconds: caller.signedInAtSeconds,
        after: query.after,
        // One entry more than the page has tells whether there is a next page.
        limit: limit + 1,
      }),
      logAndFailWith("A history could not be read", databaseUnavailable),
    )
    if (page.revoked) return yield* new Unauthorized()
    const entries = page.entries.slice(0, limit)
    return {
      score: page.score,
      entries,
      next: page.entries.length > limit ? (entries.at(-1)?.id ?? null) : null,
    }
  }),
)
