import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"

/**
 * A moment per player before which every token is refused, and the entry of the history that says who ended the
 * sign-ins. Rows of the old kinds need no second look, and reading the whole history would lock it for long: `not valid`.
 */
export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`alter table users add column tokens_from timestamptz`
  yield* sql`alter table score_events drop constraint score_events_kind_check`
  yield* sql`alter table score_events add constraint score_events_kind_check
    check (kind in ('increment', 'hidden', 'restored', 'corrected', 'signed-out')) not valid`
})
