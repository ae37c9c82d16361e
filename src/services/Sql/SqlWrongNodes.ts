import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import { Count } from "../../domain/Score.ts"
import type { LevelReport } from "./SqlLevels.ts"
import { ADD_TO_NODE, forEachColumn, NODE_COLUMNS } from "./SqlRankNodes.ts"

/** Nodes written by one transaction of a repair: some 20 ms, and one shard of 16 is locked meanwhile. */
const BATCH_NODES = 1000

/** How many wrong nodes a report names. */
const NAMED_NODES = 10

/**
 * Advisory lock of a session: one repair, one generation or one migration that fills the nodes at a time, because two would
 * correct the same fault twice. The server drops it only when the last statement of a lost connection has ended.
 */
export const REPAIR_LOCK = 7_264_001

/**
 * The nodes that differ from a count, as rows (level, block, c1 … c15): what is missing in each column, null for nothing.
 * No row means that every rank is right. Counts the players by score first, so a tie costs no more than one player.
 */
export const wrongNodes = (sql: SqlClient.SqlClient) =>
  sql`${sql.literal(`
with counts as materialized (select score as s, count(*) as n from scores where not hidden and score > 0 group by score),
want as (select l as level, s >> (4 * l + 4) as block, ${forEachColumn((c, digit) => `sum(n) filter (where (s >> (4 * l)) & 15 >= ${digit}) as ${c}`)}
  from counts, generate_series(0, 13) l where s >> (4 * l) & 15 <> 0 group by 1, 2),
have as (select level, block, ${forEachColumn((c) => `sum(${c}) as ${c}`)} from rank_node where period = 0 group by 1, 2),
missing as (select level, block, ${forEachColumn((c) => `nullif(coalesce(want.${c}, 0) - coalesce(have.${c}, 0), 0)::bigint as ${c}`)}
  from want full join have using (level, block))
select * from missing where coalesce(${NODE_COLUMNS.join(", ")}) is not null`)}`

const Report = Schema.Struct({
  players: Count,
  highest: Count,
  wrong: Count,
  lowest: Schema.Array(Schema.Struct({ from: Schema.Int, to: Schema.Int, players: Count })),
})
const decodeReport = Schema.decodeUnknownEffect(Schema.Tuple([Report]))

/** Counts every node, compares it with the stored one, and reports the differences, in one snapshot. */
export const selectReport = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  // A node of level l covers a block of 16^(l + 1) scores, and no score is above that of the check on the table.
  const most = sql.literal(`greatest(${forEachColumn((c) => `abs(${c})`)})`)
  const rows = yield* sql`
with wrong as materialized (${wrongNodes(sql)}),
named as (select block * 16 ^ (level + 1) as "from", least((block + 1) * 16 ^ (level + 1) - 1, 9007199254740991) as "to", ${most} as players
  from wrong order by 1, 2 limit ${NAMED_NODES})
select (select count(*)::float8 from scores where not hidden and score > 0) as players,
  coalesce((select max(score)::float8 from scores where not hidden), 0) as highest,
  (select count(*)::float8 from wrong) as wrong,
  coalesce((select json_agg(named) from named), '[]') as lowest`
  const [row] = yield* Effect.orDie(decodeReport(rows))
  const report: LevelReport = row
  return report
})

/** Adds what is missing to a shard whose version row is locked first, as by every increment, from rows like `wrongNodes`. */
const addMissing = (sql: SqlClient.SqlClient, missing: ReturnType<typeof wrongNodes>) => sql`
with batch as materialized (${missing}),
shard as materialized (select board_moved() as shard from (select from batch limit 1) any_left)
insert into rank_node as p (period, level, block, shard, ${sql.literal(NODE_COLUMNS.join(", "))})
  select 0, level, block, shard, ${sql.literal(NODE_COLUMNS.join(", "))} from batch, shard order by level, block
${sql.literal(ADD_TO_NODE)}`

/** Adds what is missing at this moment in one transaction, for a caller who lets nobody change a score meanwhile. */
export const addAllMissing = (sql: SqlClient.SqlClient) => addMissing(sql, wrongNodes(sql))

/**
 * Adds what is missing at this moment, in small batches; gives how many nodes were wrong. Increments meanwhile change
 * count and node alike, so what is missing stays the same. Not beside another one: see `REPAIR_LOCK`.
 */
export const correctNodes = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  yield* sql`drop table if exists pg_temp.wrong_node`
  yield* sql`create temporary table wrong_node as
select row_number() over (order by level, block) as nth, w.* from (${wrongNodes(sql)}) w`
  yield* sql`create unique index on wrong_node (nth)`
  let corrected = 0
  for (;;) {
    const batch = sql`select * from wrong_node where nth > ${corrected} and nth <= ${corrected + BATCH_NODES}`
    const rows = yield* sql`${addMissing(sql, batch)} returning 1 as one`
    if (rows.length === 0) break
    corrected += rows.length
  }
  yield* sql`drop table wrong_node`
  return corrected
})
