import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { maskEmail } from "../../domain/EmailMask.ts"
import { databaseUnavailable, Unauthorized } from "../../domain/Errors.ts"
import { RANK_PAGE, type RankedScore } from "../../domain/Ranks.ts"
import { CurrentPlayer, HandledApi } from "../../domain/ScoreboardApi.ts"
import { Sql } from "../../services/Sql/Sql.ts"
import { Board } from "../board/Board.ts"
import { cacheControl, noStore, SHARED_BRIEFLY } from "./CacheControl.ts"
import { logAndFailWith } from "./PublicFailure.ts"

/** `GET /scores/me` and `GET /scores/page` */
export const RanksHandlers = HttpApiBuilder.group(HandledApi, "ranks", (handlers) =>
  Effect.gen(function* () {
    const sql = yield* Sql
    const boardEmail = yield* Board.config.email
    const shown = (scores: ReadonlyArray<RankedScore>) =>
      boardEmail === "masked" ? scores.map((score) => ({ ...score, email: maskEmail(score.email) })) : scores

    const me = Effect.fnUntraced(function* () {
      yield* noStore
      const { userId, tokenId, signedInAtSeconds } = yield* CurrentPlayer
      const { revoked, ...standing } = yield* Effect.catch(
        sql.standing({ userId, tokenId, signedInAtSeconds }),
        logAndFailWith("A standing could not be read", databaseUnavailable),
      )
      if (revoked) return yield* new Unauthorized()
      return { ...standing, above: shown(standing.above), below: shown(standing.below) }
    })

    return handlers.handle("me", me).handle("page", ({ query }) =>
      sql.page({ after: query.after, limit: query.limit ?? RANK_PAGE }).pipe(
        Effect.catch(logAndFailWith("A page of the board could not be read", databaseUnavailable)),
        Effect.map((page) => ({ ...page, scores: shown(page.scores) })),
        // Only a page may be cached, not an error.
        Effect.tap(() => cacheControl(SHARED_BRIEFLY)),
      ),
    )
  }),
)
