import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"

/** How long an `Idempotency-Key` is known, from the public contract. */
const KEY_HOURS = 24

const Pruned = Schema.Tuple([Schema.Struct({ rows: Schema.Int })])
const decodePruned = Schema.decodeUnknownEffect(Pruned)

/**
 * Deletes up to `limit` keys that are older than that, and gives their number. The index on `at` finds
 * them, oldest first; a row that someone else is deleting is passed over.
 */
export const pruneKeysStatement = (sql: SqlClient.SqlClient, limit: number) => sql`
with pruned as (delete from idempotency_keys where ctid = any (array(
  select ctid from idempotency_keys where at < now() - make_interval(hours => ${KEY_HOURS}::int)
  order by at limit ${limit}::int for update skip locked)) returning 1)
select count(*)::int as rows from pruned`

/** Runs it and reads the number. */
export const pruneKeys = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, limit: number) {
  const [row] = yield* Effect.orDie(decodePruned(yield* pruneKeysStatement(sql, limit)))
  return row.rows
})
