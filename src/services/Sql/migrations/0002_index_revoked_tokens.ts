import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"

/** Finds the revocations whose tokens expired without reading the ones that still count. */
export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`create index revoked_tokens_expires on revoked_tokens (expires)`
})
