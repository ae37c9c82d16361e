import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"

/** Finds the revocations of expired tokens without reading the others. */
export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`create index revoked_tokens_expires on revoked_tokens (expires)`
})
