import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type { SqlFailure } from "./Sql.ts"
import { sqlCall } from "./SqlCall.ts"
import { exportHistory } from "./SqlExport.ts"
import { SqlModeration } from "./SqlModeration.ts"
import { correctScore, findPlayers, setHidden } from "./SqlPlayers.ts"
import { endSignIns } from "./SqlSignIns.ts"
import * as SqlPools from "./SqlPools.ts"

const onPools = Layer.effect(
  SqlModeration,
  Effect.map(SqlPools.SqlPools, ({ reads }) =>
    SqlModeration.of({
      findPlayers: (query) => sqlCall("moderate")(findPlayers(reads, query)),
      setHidden: (hidden, moderation) => sqlCall("moderate")(setHidden(reads, hidden, moderation)),
      correct: (amount, moderation) => sqlCall("moderate")(correctScore(reads, amount, moderation)),
      endSignIns: (moderation) => sqlCall("moderate")(endSignIns(reads, moderation)),
      exportHistory: (request) => sqlCall("export")(exportHistory(reads, request)),
    }),
  ),
)

/** Moderation at `url`; shares its connections with the other services of the process. */
export const layerFrom = (url: Redacted.Redacted): Layer.Layer<SqlModeration, SqlFailure> =>
  onPools.pipe(Layer.provide(SqlPools.layerFrom(url)))

/** The same from `DATABASE_URL`. */
export const layer = onPools.pipe(Layer.provide(SqlPools.layer))
