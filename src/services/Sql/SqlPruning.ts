import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"

/** How long a repeat under the same `Idempotency-Key` is recognised: from the public contract. */
const KEY_HOURS = 24

/** How long a revocation outlives its token: a process whose clock is behind still accepts the token. */
const CLOCK_SKEW = "5 minutes"

const PrunedKeys = Schema.Tuple([Schema.Struct({ rows: Schema.Int })])
const decodePrunedKeys = Schema.decodeUnknownEffect(PrunedKeys)

/**
 * Deletes up to `limit` keys that are older than 24 hours; gives how many. The index on `at` finds the oldest first.
 * Skips rows that another process is deleting.
 */
export const pruneKeysStatement = (sql: SqlClient.SqlClient, limit: number) => sql`
with pruned as (delete from idempotency_keys where ctid = any (array(
  select ctid from idempotency_keys where at < now() - make_interval(hours => ${KEY_HOURS}::int)
  order by at limit ${limit}::int for update skip locked)) returning 1)
select count(*)::int as rows from pruned`

/** Runs it and reads the number. */
export const pruneKeys = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, limit: number) {
  const [row] = yield* Effect.orDie(decodePrunedKeys(yield* pruneKeysStatement(sql, limit)))
  return row.rows
})

const PrunedRevocations = Schema.Tuple([Schema.Struct({ pruned: Schema.Int })])
const decodePrunedRevocations = Schema.decodeUnknownEffect(PrunedRevocations)

/** Deletes up to `limit` revocations of expired tokens; gives how many. Skips rows that another process is deleting. */
export const pruneRevoked = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, limit: number) {
  const rows = yield* sql`
with gone as (delete from revoked_tokens where jti in (
  select jti from revoked_tokens where expires < now() - ${CLOCK_SKEW}::interval
  order by expires limit ${limit} for update skip locked) returning 1)
select count(*)::int as pruned from gone`
  const [row] = yield* Effect.orDie(decodePrunedRevocations(rows))
  return row.pruned
})
