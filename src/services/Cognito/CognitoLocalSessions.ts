import { hash, randomBytes } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import { UserId } from "../../domain/Score.ts"
import { abandonable } from "../../foundation/Abandonable.ts"

/** How long a refresh token is valid, in days: Cognito's default. */
const REFRESH_DAYS = 30

/** The random bytes of a refresh token: too many to guess, and 64 letters long. */
const REFRESH_TOKEN_BYTES = 48

/** How many expired sign-ins a new one deletes at most, so that no login waits for a long deletion. */
const FORGOTTEN_AT_ONCE = 100

/** The sign-in of a user that a refresh token belongs to. */
const LocalSession = Schema.Struct({ id: Schema.String, user_id: UserId })
const decodeLocalSessions = Schema.decodeUnknownEffect(Schema.Array(LocalSession))

/** What is stored of a token. It has 384 random bits, so nobody can guess it from a plain hash. */
const digestOf = (refreshToken: string): Uint8Array => hash("sha256", refreshToken, "buffer")

/** Creates the table of the sign-ins unless it exists. */
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

/** Begins a sign-in and gives its refresh token, of which only a hash is stored. */
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

/** The sign-in of a refresh token, unless it has ended. */
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
