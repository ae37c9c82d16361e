import * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type { Revocation } from "./Sql.ts"

/** Stores that a token is refused. Idempotent; of two times the later one counts. */
export const revokeToken = (sql: SqlClient.SqlClient, revocation: Revocation) =>
  Effect.asVoid(sql`
insert into revoked_tokens as r (jti, expires) values (${revocation.tokenId}, to_timestamp(${revocation.expiresAtSeconds}::float8))
on conflict (jti) do update set expires = excluded.expires where r.expires < excluded.expires`)
