import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import type { Revocation, SignIn } from "./Sql.ts"

const Revoked = Schema.Tuple([Schema.Struct({ before: Schema.Boolean })])
const decodeRevoked = Schema.decodeUnknownEffect(Revoked)

/** Stores that a token is refused; gives whether it was before. Idempotent; of two times the later one counts. */
export const revokeToken = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, revocation: Revocation) {
  // `xmax` is 0 in a row that this statement inserted, and its own transaction in one that it updated.
  const rows = yield* sql`
insert into revoked_tokens as r (jti, expires) values (${revocation.tokenId}, to_timestamp(${revocation.expiresAtSeconds}::float8))
on conflict (jti) do update set expires = greatest(r.expires, excluded.expires)
returning xmax <> 0 as before`
  const [row] = yield* Effect.orDie(decodeRevoked(rows))
  return row.before
})

/** Whether a token was ended, as a part of a statement: the same rule as in the commit. */
export const isRefused = (sql: SqlClient.SqlClient, { userId, tokenId, signedInAtSeconds }: SignIn) => sql`
(exists (select from revoked_tokens where jti = ${tokenId ?? ""})
  or exists (select from users where id = ${userId} and date_part('epoch', tokens_from) > ${String(signedInAtSeconds ?? 0)}::float8))`

const Refused = Schema.Tuple([Schema.Struct({ refused: Schema.Boolean })])
const decodeRefused = Schema.decodeUnknownEffect(Refused)

/** The same as a statement. */
export const refusesToken = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, token: SignIn) {
  const [row] = yield* Effect.orDie(decodeRefused(yield* sql`select ${isRefused(sql, token)} as refused`))
  return row.refused
})
