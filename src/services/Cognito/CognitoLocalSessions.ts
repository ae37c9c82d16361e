import { hash, randomBytes } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import { UserId } from "../../domain/Score.ts"
import { abandonable } from "../../foundation/Abandonable.ts"

/** How long a refresh token holds: Cognito's default. */
const REFRESH_DAYS = 30

const REFRESH_TOKEN_BYTES = 48

/** Sign-ins that ended by themselves, forgotten with each new one: at most this many, so that nobody waits for it. */
const FORGOTTEN_AT_ONCE = 100

/** What a refresh token stands for: one sign-in of one user. */
const LocalSession = Schema.Struct({ id: Schema.String, user_id: UserId })
const decodeLocalSessions = Schema.decodeUnknownEffect(Schema.Array(LocalSession))

/** The token has 384 random bits, so a plain hash cannot be turned back. */
const digestOf = (refreshToken: string): Uint8Array => hash("sha256", refreshToken, "buffer")

/** Makes the table of the sign-ins unless it is there. */
export const createLocalSessions = (sql: SqlClient.SqlClient) =>
  Effect.andThen(
    sql`
create table if not exists local_sessions (
  token_hash bytea primary key,
  id text collate "C" not null,
  user_id text collate "C" not null references local_users (id) on delete cascade,
  expires timestamptz not null
)`,
    sql`create index if not exists local_sessions_expires on local_sessions (expires)`,
  )

/** Begins a sign-in: gives its refresh token, of which only a hash is kept. */
export const openLocalSession = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  session: { readonly id: string; readonly userId: UserId },
) {
  const refreshToken = randomBytes(REFRESH_TOKEN_BYTES).toString("base64url")
  yield* abandonable(sql`
with forgotten as (delete from local_sessions where token_hash in (
  select token_hash from local_sessions where expires < now() order by expires limit ${FORGOTTEN_AT_ONCE} for update skip locked))
insert into local_sessions (token_hash, id, user_id, expires)
values (${digestOf(refreshToken)}, ${session.id}, ${session.userId}, now() + make_interval(days => ${REFRESH_DAYS}))`)
  return refreshToken
})

/** The sign-in of a refresh token, unless it is over. */
export const findLocalSession = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, refreshToken: string) {
  const rows = yield* abandonable(
    sql`select id, user_id from local_sessions where token_hash = ${digestOf(refreshToken)} and expires > now()`,
  )
  const [session] = yield* Effect.orDie(decodeLocalSessions(rows))
  return session
})

/** Ends the sign-in of a refresh token. Idempotent. */
export const closeLocalSession = (sql: SqlClient.SqlClient, refreshToken: string) =>
  Effect.asVoid(abandonable(sql`delete from local_sessions where token_hash = ${digestOf(refreshToken)}`))
