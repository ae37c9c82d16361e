import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { databaseUnavailable, Unauthorized, type Unavailable } from "../../domain/Errors.ts"
import { publicScores } from "../../domain/Messages.ts"
import { RANK_PAGE, type RankedScore } from "../../domain/Ranks.ts"
import { CurrentPlayer, HandledApi } from "../../domain/ScoreboardApi.ts"
import { makeSharedWaits } from "../../foundation/SharedWaits.ts"
import { Sql, type StandingAnswer } from "../../services/Sql/Sql.ts"
import { Board } from "../board/Board.ts"
import { BoundedReads } from "./BoundedReads.ts"
import { noStore } from "./CacheControl.ts"
import { Limits } from "./Limits.ts"
import { makePages } from "./Pages.ts"
import { logAndFailWith } from "./PublicFailure.ts"

/** `GET /scores/me` and `GET /scores/page` */
export const RanksHandlers = HttpApiBuilder.group(HandledApi, "ranks", (handlers) =>
  Effect.gen(function* () {
    const sql = yield* Sql
    const limits = yield* Limits
    const reads = yield* BoundedReads
    const pages = yield* makePages
    const boardEmail = yield* Board.config.email
    const shown = (scores: ReadonlyArray<RankedScore>) => publicScores(scores, boardEmail)

    const shared = makeSharedWaits<StandingAnswer, Unavailable, Unavailable>(reads.player)
    const me = Effect.fnUntraced(function* () {
      yield* noStore
      const { userId, tokenId, signedInAtSeconds } = yield* CurrentPlayer
      const { revoked, ...standing } = yield* shared(
        JSON.stringify([userId, tokenId, signedInAtSeconds]),
        Effect.catch(
          sql.standing({ userId, tokenId, signedInAtSeconds }),
          logAndFailWith("A standing could not be read", databaseUnavailable),
        ),
      )
      if (revoked) return yield* new Unauthorized()
      return { ...standing, above: shown(standing.above), below: shown(standing.below) }
    })

    return handlers
      .handle("me", me)
      .handleRaw("page", ({ query, request }) =>
        Effect.andThen(limits.page(request), pages({ after: query.after, limit: query.limit ?? RANK_PAGE })),
      )
  }),
)
