import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import { Count } from "../../domain/Score.ts"
import type { LevelReport } from "./SqlLevels.ts"

/** Level rows written by one transaction of a repair: about 20 ms, and one shard of 16 is locked meanwhile. */
const BATCH_LEVELS = 1000

/** How many wrong levels a report names. */
const NAMED_LEVELS = 10

/**
 * Every level whose stored number differs from a count, as rows (score, counted, kept). Counts the players by score,
 * then sums from the top; a level between two scores has the number of the next score above it.
 */
export const wrongLevels = (sql: SqlClient.SqlClient) => sql`
with counts as (select score, count(*) as players from scores where not hidden and score > 0 group by score),
steps as (select score, coalesce(lag(score) over (order by score), 0) as below,
  sum(players) over (order by score desc) as players from counts),
want as (select level as score, players from steps, generate_series(below + 1, score) level),
have as (select score, sum(players) as players from players_at_least group by score)
select score, coalesce(want.players, 0)::bigint as counted, coalesce(have.players, 0)::bigint as kept
from want full join have using (score)
where coalesce(want.players, 0) <> coalesce(have.players, 0)`

const Report = Schema.Struct({
  players: Count,
  levels: Count,
  wrong: Count,
  lowest: Schema.Array(Schema.Struct({ score: Schema.Int, counted: Schema.Int, kept: Schema.Int })),
})
const decodeReport = Schema.decodeUnknownEffect(Schema.Tuple([Report]))

/** Counts every level, compares it with the stored one, and reports the differences, in one snapshot. */
export const selectReport = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  const rows = yield* sql`
with wrong as materialized (${wrongLevels(sql)})
select (select count(*)::float8 from scores where not hidden and score > 0) as players,
  coalesce((select max(score)::float8 from scores where not hidden), 0) as levels,
  (select count(*)::float8 from wrong) as wrong,
  coalesce((select json_agg(w order by w.score) from (select * from wrong order by score limit ${NAMED_LEVELS}) w), '[]') as lowest`
  const [row] = yield* Effect.orDie(decodeReport(rows))
  const report: LevelReport = row
  return report
})

/** Adds the difference to every level that is wrong at this moment; gives how many levels there were. */
export const correctLevels = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  yield* sql`drop table if exists pg_temp.wrong_level`
  yield* sql`create temporary table wrong_level as ${wrongLevels(sql)}`
  yield* sql`create unique index on wrong_level (score)`
  let corrected = 0
  for (;;) {
    // board_moved() locks a free shard first, as every increment does, and with it the level rows of that shard.
    const rows = yield* sql`
with shard as materialized (select board_moved() as shard from (select from wrong_level limit 1) any_left),
batch as (delete from wrong_level where score in (select score from wrong_level order by score limit ${BATCH_LEVELS})
  returning score, counted - kept as missing)
insert into players_at_least as p (score, shard, players)
  select score, shard, missing from batch, shard order by score
  on conflict (score, shard) do update set players = p.players + excluded.players
returning 1 as one`
    if (rows.length === 0) return corrected
    corrected += rows.length
  }
})
