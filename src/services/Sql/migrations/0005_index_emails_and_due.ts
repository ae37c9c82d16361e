import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"

/**
 * Finds a player by e-mail, and commits by the time from which any process may send them, without reading the others.
 * The index of e-mails is a hash: a B-tree refuses an entry of more than 2704 bytes, and with it the player.
 *
 * Runs outside a transaction, and may run again after an attempt that left an index half built.
 */
export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`drop index concurrently if exists users_email`
  yield* sql`create index concurrently users_email on users using hash (email)`
  yield* sql`drop index concurrently if exists outbox_due`
  yield* sql`create index concurrently outbox_due on outbox (due)`
})
