import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlLevels } from "../src/services/Sql/SqlLevels.ts"
import * as SqlLevelsPostgres from "../src/services/Sql/SqlLevelsPostgres.ts"
import * as FakeCognito from "../test/support/engines/FakeCognito.ts"
import * as Postgres from "../test/support/engines/Postgres.ts"
import { ours, start } from "./system.ts"

/** This system on a database of so many synthetic players; `env` = more variables of its processes. */
export const startGenerated = Effect.fnUntraced(function* (
  players: number,
  env: Readonly<Record<string, string>> = {},
) {
  const identity = yield* FakeCognito.make
  const postgres = yield* Postgres.make({ settings: {} })
  const levels = yield* Effect.map(
    Layer.build(SqlLevelsPostgres.layerFrom(postgres.url)),
    Context.get(SqlLevels),
  )
  yield* levels.generate({ players, besideRealPlayers: false })
  const system = yield* start({
    implementation: ours,
    databaseUrl: postgres.url,
    identity: identity.env,
    players: [],
    profiles: undefined,
    env,
  })
  return { identity, postgres, system }
})
