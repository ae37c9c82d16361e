import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"

/** Nodes written by one transaction: some 20 ms, and one shard of 16 is locked meanwhile. */
const BATCH_NODES = 1000

/** The advisory lock of repairs and generations, which write nodes as well. */
const REPAIR_LOCK = 7_264_001

const COLUMNS = Array.from({ length: 15 }, (_, at) => `c${at + 1}`)
const forEachColumn = (text: (column: string, digit: number) => string) =>
  COLUMNS.map((column, at) => text(column, at + 1)).join(", ")

/** What is missing in each node at this moment, by a count of the players: nothing where the trigger counted them. */
const MISSING = `
with counts as materialized (select score as s, count(*) as n from scores where not hidden and score > 0 group by score),
want as (select l as level, s >> (4 * l + 4) as block,
    ${forEachColumn((c, digit) => `sum(n) filter (where (s >> (4 * l)) & 15 >= ${digit}) as ${c}`)}
  from counts, generate_series(0, 13) l where (s >> (4 * l)) & 15 <> 0 group by 1, 2),
have as (select level, block, ${forEachColumn((c) => `sum(${c}) as ${c}`)} from rank_node where period = 0 group by 1, 2),
missing as (select level, block, ${forEachColumn((c) => `nullif(coalesce(want.${c}, 0) - coalesce(have.${c}, 0), 0)::bigint as ${c}`)}
  from want full join have using (level, block))
select row_number() over (order by level, block) as nth, * from missing where coalesce(${COLUMNS.join(", ")}) is not null`

/** Adds the next rows of `missing_node` to a shard, whose version row is locked first, as by every increment. */
const addBatch = (sql: SqlClient.SqlClient, after: number) => sql`
with batch as materialized (select * from missing_node where nth > ${after} and nth <= ${after + BATCH_NODES}),
shard as materialized (select board_moved() as shard from (select from batch limit 1) any_left)
insert into rank_node as p (period, level, block, shard, ${sql.literal(COLUMNS.join(", "))})
  select 0, level, block, shard, ${sql.literal(COLUMNS.join(", "))} from batch, shard order by level, block
  on conflict (period, level, block, shard) do update set
    ${sql.literal(forEachColumn((c) => `${c} = coalesce(p.${c} + excluded.${c}, p.${c}, excluded.${c})`))}
returning 1 as one`

/** Takes the difference in one snapshot; it stays the same afterwards, because increments change count and node alike. */
const fill = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  yield* sql`drop table if exists pg_temp.missing_node`
  yield* sql`create temporary table missing_node as ${sql.literal(MISSING)}`
  yield* sql`create unique index on missing_node (nth)`
  for (let filled = 0; ;) {
    const rows = yield* addBatch(sql, filled)
    if (rows.length === 0) break
    filled += rows.length
  }
  yield* sql`drop table missing_node`
})

/**
 * Looks through the scores that are there, and counts their players into the nodes, in small transactions between which
 * others write.
 *
 * Runs outside a transaction, and may run again after an attempt that was cut off: it adds what is missing then. The lock
 * sees to it that the last statement of that attempt has ended, and that nobody repairs meanwhile.
 */
export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`alter table scores validate constraint scores_score_exact`
  yield* Effect.acquireRelease(
    sql`select pg_advisory_lock(${REPAIR_LOCK})`,
    // The server also drops the lock with the connection.
    () => Effect.ignore(sql`select pg_advisory_unlock(${REPAIR_LOCK})`),
    { interruptible: true },
  ).pipe(Effect.andThen(fill(sql)), Effect.scoped)
})
