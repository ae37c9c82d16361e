import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"

/** How long a revocation outlives its token: a process whose clock is behind still takes the token. */
const CLOCK_SKEW = "5 minutes"

/** Refuses every token of this id from now on, until `expiresAtSeconds` (since 1970). Idempotent; the later time counts. */
export const revokeToken = (
  sql: SqlClient.SqlClient,
  token: { readonly tokenId: string; readonly expiresAtSeconds: number },
) =>
  Effect.asVoid(sql`
insert into revoked_tokens as r (jti, expires) values (${token.tokenId}, to_timestamp(${token.expiresAtSeconds}::float8))
on conflict (jti) do update set expires = excluded.expires where r.expires < excluded.expires`)

const Pruned = Schema.Tuple([Schema.Struct({ pruned: Schema.Int })])
const decodePruned = Schema.decodeUnknownEffect(Pruned)

/** Forgets up to `limit` revocations of tokens that expired; gives how many. Several may run at once. */
export const pruneRevoked = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, limit: number) {
  const rows = yield* sql`
with gone as (delete from revoked_tokens where jti in (
  select jti from revoked_tokens where expires < now() - ${CLOCK_SKEW}::interval
  order by expires limit ${limit} for update skip locked) returning 1)
select count(*)::int as pruned from gone`
  const [row] = yield* Effect.orDie(decodePruned(rows))
  return row.pruned
})
