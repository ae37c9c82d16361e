import * as PgClient from "@effect/sql-pg/PgClient"
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type * as SqlClient from "effect/sql/SqlClient"
import { SqlLevels } from "../../src/services/Sql/SqlLevels.ts"
import * as SqlLevelsPostgres from "../../src/services/Sql/SqlLevelsPostgres.ts"
import { milliseconds, spread } from "../ranksStatistics.ts"

/** One of the two databases, with connections like the product's. */
export interface Side {
  readonly name: string
  readonly players: number
  readonly url: Redacted.Redacted
  readonly sql: SqlClient.SqlClient
  /** One connection, so that the CPU of its server process can be read; it plans once, as in the product. */
  readonly commits: SqlClient.SqlClient
  /** Two more connections of that kind, for a load beside the measurement. */
  readonly load: SqlClient.SqlClient
}

/** Both databases, the small one first. */
export type Sides = readonly [Side, Side]

/** There is one key of the last 24 hours for so many players. */
const PLAYERS_PER_KEY = 10

/**
 * Fills an empty database with players, one row of history for each (so the sums are right, and the history's index is
 * as large as the players'), and keys that are younger than a day.
 */
export const makeSide = Effect.fnUntraced(function* (name: string, url: Redacted.Redacted, players: number) {
  const startupParameters = { plan_cache_mode: "force_generic_plan" }
  const levels = yield* Effect.map(Layer.build(SqlLevelsPostgres.layerFrom(url)), Context.get(SqlLevels))
  const sql = yield* PgClient.make({ url, maxConnections: 1 })
  const commits = yield* PgClient.make({ url, maxConnections: 1, startupParameters })
  const load = yield* PgClient.make({ url, maxConnections: 2, startupParameters })
  const took = yield* milliseconds(
    Effect.gen(function* () {
      yield* levels.generate({ players, besideRealPlayers: false })
      yield* sql`
insert into score_events (user_id, id, amount, score_after) select user_id, reached, score, score from scores order by user_id`
      yield* sql`
insert into idempotency_keys (user_id, key, event_id)
  select user_id, gen_random_uuid()::text, reached from scores where reached % ${PLAYERS_PER_KEY}::bigint = 0`
      yield* sql`vacuum (analyze) score_events, idempotency_keys`
    }),
  )
  const [size] = yield* sql<{ readonly bytes: string }>`
select pg_size_pretty(pg_database_size(current_database())) as bytes`
  yield* Console.log(`${name}: ${players} players in ${(took / 1000).toFixed(0)} s, ${size?.bytes}`)
  const side: Side = { name, players, url, sql, commits, load }
  return side
})

/** The values of each side over all rounds, then large ÷ small, round by round. */
export const compared = (small: ReadonlyArray<number>, large: ReadonlyArray<number>, digits: number) => {
  const ratios = large.map((value, round) => value / (small[round] ?? Number.NaN))
  return `${spread(small, digits)} | ${spread(large, digits)} | ${spread(ratios, 2)}`
}
