import { hash, randomBytes } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import { Count, UserId } from "../../domain/Score.ts"
import { abandonable } from "../../foundation/Abandonable.ts"
import type { Owner, RevokeOutcome } from "./Cognito.ts"

/** How long a refresh token is valid, in days: Cognito's default. */
const REFRESH_DAYS = 30

/** The random bytes of a refresh token: too many to guess, and 64 letters long. */
const REFRESH_TOKEN_BYTES = 48

/** How many expired sign-ins a new one deletes at most, so that no login waits for a long deletion. */
const FORGOTTEN_AT_ONCE = 100

/** How long an expired sign-in is remembered at least: longer than the last access token of it is valid. */
const REMEMBERED = "1 day"

/** The sign-in of a user that a refresh token belongs to, and when it began, in seconds since 1970. */
const LocalSession = Schema.Struct({ id: Schema.String, user_id: UserId, started: Count })
const decodeLocalSessions = Schema.decodeUnknownEffect(Schema.Array(LocalSession))

/** What is stored of a token. It has 384 random bits, so nobody can guess it from a plain hash. */
const digestOf = (refreshToken: string): Uint8Array => hash("sha256", refreshToken, "buffer")

/** Creates the table of the sign-ins, and what is missing of it. */
export const createLocalSessions = (sql: SqlClient.SqlClient) =>
  Effect.all([
    sql`
create table if not exists local_sessions (
  token_hash bytea primary key,
  id text collate "C" not null,
  user_id text collate "C" not null references local_users (id) on delete cascade,
  expires timestamptz not null
)`,
    sql`alter table local_sessions add column if not exists started timestamptz not null default now()`,
    sql`create index if not exists local_sessions_expires on local_sessions (expires)`,
  ])

const Opened = Schema.Tuple([Schema.Struct({ started: Count })])
const decodeOpened = Schema.decodeUnknownEffect(Opened)

/** Begins a sign-in and gives when, in seconds since 1970, and its refresh token, of which only a hash is stored. */
export const openLocalSession = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  session: { readonly id: string; readonly userId: UserId },
) {
  const refreshToken = randomBytes(REFRESH_TOKEN_BYTES).toString("base64url")
  const rows = yield* abandonable(sql`
with forgotten as (delete from local_sessions where token_hash in (
  select token_hash from local_sessions where expires < now() - ${REMEMBERED}::interval order by expires limit ${FORGOTTEN_AT_ONCE} for update skip locked))
insert into local_sessions (token_hash, id, user_id, expires)
values (${digestOf(refreshToken)}, ${session.id}, ${session.userId}, now() + make_interval(days => ${REFRESH_DAYS}))
returning floor(date_part('epoch', started)) as started`)
  const [{ started }] = yield* Effect.orDie(decodeOpened(rows))
  return { refreshToken, started }
})

/** The sign-in of a refresh token, unless it has ended. */
export const findLocalSession = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, refreshToken: string) {
  const rows = yield* abandonable(
    sql`select id, user_id, floor(date_part('epoch', started)) as started from local_sessions where token_hash = ${digestOf(refreshToken)} and expires > now()`,
  )
  const [session] = yield* Effect.orDie(decodeLocalSessions(rows))
  return session
})

const Closed = Schema.Array(Schema.Struct({ outcome: Schema.Literals(["revoked", "spent", "foreign"]) }))
const decodeClosed = Schema.decodeUnknownEffect(Closed)

/**
 * Ends the sign-in of a refresh token, if it is that of the owner. Afterwards the token is `spent`: the row stays for a
 * while, so that of two logouts at once neither finds an unknown token.
 */
export const closeLocalSession = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  refreshToken: string,
  owner: Owner,
) {
  const rows = yield* abandonable(sql`
with named as materialized (select token_hash, expires, id = ${owner.tokenId ?? ""} and user_id = ${owner.userId} as own
  from local_sessions where token_hash = ${digestOf(refreshToken)} for update),
ended as (update local_sessions set expires = now() where token_hash in (select token_hash from named where own and expires > now()))
select case when not own then 'foreign' when expires > now() then 'revoked' else 'spent' end as outcome from named`)
  const [closed] = yield* Effect.orDie(decodeClosed(rows))
  const outcome: RevokeOutcome = closed?.outcome ?? "unknown"
  return outcome
})
