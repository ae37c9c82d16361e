import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { maskEmail } from "../../domain/EmailMask.ts"
import { databaseAway, Unauthorized, type Unavailable } from "../../domain/Errors.ts"
import { RANK_PAGE, type RankedScore } from "../../domain/Ranks.ts"
import { CurrentPlayer, HandledApi } from "../../domain/ScoreboardApi.ts"
import { Sql, type SqlFailure } from "../../services/Sql/Sql.ts"
import { Board } from "../board/Board.ts"
import { cacheControl, noStore, SHARED_BRIEFLY } from "./CacheControl.ts"

const orUnavailable =
  (message: string) =>
  <A>(read: Effect.Effect<A, SqlFailure>): Effect.Effect<A, Unavailable> =>
    read.pipe(
      Effect.tapError((error) => Effect.logError(message, error)),
      Effect.mapError(() => databaseAway),
    )

/** `GET /scores/me` and `GET /scores/page` */
export const RanksHandlers = HttpApiBuilder.group(HandledApi, "ranks", (handlers) =>
  Effect.gen(function* () {
    const sql = yield* Sql
    const boardEmail = yield* Board.config.email
    const shown = (scores: ReadonlyArray<RankedScore>) =>
      boardEmail === "masked" ? scores.map((score) => ({ ...score, email: maskEmail(score.email) })) : scores

    const me = handlers.handle("me", () =>
      Effect.gen(function* () {
        yield* noStore
        const caller = yield* CurrentPlayer
        const { revoked, ...standing } = yield* sql
          .standing({ userId: caller.userId, tokenId: caller.tokenId })
          .pipe(orUnavailable("A standing could not be read"))
        if (revoked) return yield* new Unauthorized()
        return { ...standing, above: shown(standing.above), below: shown(standing.below) }
      }),
    )

    return me.handle("page", ({ query }) =>
      sql.page({ after: query.after, limit: query.limit ?? RANK_PAGE }).pipe(
        orUnavailable("A page of the board could not be read"),
        Effect.map((read) => ({ ...read, scores: shown(read.scores) })),
        // An error is not for a cache.
        Effect.tap(() => cacheControl(SHARED_BRIEFLY)),
      ),
    )
  }),
)
