import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type { SqlFailure } from "./Sql.ts"
import { sqlCall } from "./SqlCall.ts"
import * as SqlPools from "./SqlPools.ts"
import { pruneKeys, pruneRevoked } from "./SqlPruning.ts"
import { selectOldestSnapshot } from "./SqlSnapshots.ts"
import { SqlUpkeep } from "./SqlUpkeep.ts"

const onPools = Layer.effect(
  SqlUpkeep,
  Effect.map(SqlPools.SqlPools, ({ players }) =>
    SqlUpkeep.of({
      pruneKeys: (limit) => sqlCall("pruneKeys")(pruneKeys(players, limit)),
      pruneRevoked: (limit) => sqlCall("pruneRevoked")(pruneRevoked(players, limit)),
      oldestSnapshot: sqlCall("oldestSnapshot")(selectOldestSnapshot(players)),
    }),
  ),
)

/** Upkeep of the database at `url`; shares its connections with the other services of the process. */
export const layerFrom = (url: Redacted.Redacted): Layer.Layer<SqlUpkeep, SqlFailure> =>
  onPools.pipe(Layer.provide(SqlPools.layerFrom(url)))

/** The same where the configuration says. */
export const layer = onPools.pipe(Layer.provide(SqlPools.layer))
