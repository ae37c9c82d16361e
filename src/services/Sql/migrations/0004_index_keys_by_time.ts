import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"

/**
 * Finds the old keys without reading the others. The block range index did so only on the first day: new keys take the
 * place of deleted ones, and a range never forgets the oldest it has seen, so from the second day on every
 * pruning read the whole table (one million keys: 13,350 pages and 85 ms, now 37 pages and 0.3 ms).
 */
export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`drop index idempotency_keys_at`
  yield* sql`create index idempotency_keys_at on idempotency_keys (at)`
})
