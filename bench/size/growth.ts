import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { commitIncrements } from "../../src/services/Sql/SqlCommit.ts"
import { deleteOutboxStatement } from "../../src/services/Sql/SqlOutbox.ts"
import { batchOf, everyTenMillis, forSeconds, somebody } from "../players.ts"
import type { Side } from "./sides.ts"

/** How long increments run without a pause. */
const SECONDS = 60

/** The server collects the counts of an idle connection at most once a second. */
const COUNTED = "1500 millis"

interface Table {
  readonly relname: string
  readonly updates: number
  readonly hot: number
  readonly dead: number
  readonly vacuums: number
  readonly table_bytes: number
  readonly index_bytes: number
}

const tables = (side: Side) => side.sql<Table>`
select relname, n_tup_upd::float8 as updates, n_tup_hot_upd::float8 as hot, n_dead_tup::float8 as dead,
  autovacuum_count::float8 as vacuums, pg_table_size(relid)::float8 as table_bytes, pg_indexes_size(relid)::float8 as index_bytes
from pg_stat_user_tables
where relname in ('scores', 'rank_node', 'board_version', 'outbox', 'idempotency_keys', 'score_events') order by relname`

const mb = (bytes: number) => (bytes / 1_048_576).toFixed(1)

/** Runs a minute of increments, deletes their outbox rows, and reports what is left in every table. */
export const growth = Effect.fnUntraced(function* (side: Side, players: number) {
  const before = yield* tables(side)
  const increment = () =>
    Effect.flatMap(
      commitIncrements(
        side.load,
        batchOf(10, () => somebody(players)),
      ),
      ({ outboxId }) => deleteOutboxStatement(side.sql, outboxId === undefined ? [] : [outboxId]),
    )
  const rate = yield* everyTenMillis(increment, forSeconds(SECONDS))
  yield* Effect.sleep(COUNTED)
  yield* Console.log(
    `\n${side.name}: ${SECONDS} s of ${(rate * 10).toFixed(0)} increments/s over ${players} players\n`,
  )
  yield* Console.log(
    "| table | updates | HOT | dead rows left | vacuums | table MB | indexes MB |\n| --- | --- | --- | --- | --- | --- | --- |",
  )
  for (const after of yield* tables(side)) {
    const then = before.find(({ relname }) => relname === after.relname) ?? after
    const updates = after.updates - then.updates
    const hot = updates === 0 ? "" : `${(((after.hot - then.hot) / updates) * 100).toFixed(1)} %`
    const grown = (was: number, is: number) => `${mb(was)} → ${mb(is)}`
    yield* Console.log(
      `| ${after.relname} | ${updates} | ${hot} | ${after.dead} | ${after.vacuums - then.vacuums} | ${grown(then.table_bytes, after.table_bytes)} | ${grown(then.index_bytes, after.index_bytes)} |`,
    )
  }
})
