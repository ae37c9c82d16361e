import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"

/** Records what an operator did to a player in the history of that player. */
export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`alter table score_events
    add column kind text not null default 'increment' check (kind in ('increment', 'hidden', 'restored', 'corrected')),
    add column reason text,
    add column actor text,
    add constraint moderated_by check (kind = 'increment' or actor is not null)`
})
