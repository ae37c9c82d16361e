import { randomUUID } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import { UserId } from "../../domain/Score.ts"
import { abandonable } from "../../foundation/Abandonable.ts"
import { hashPassword } from "./CognitoPasswords.ts"

/** A user of the local identity provider; the `sub` of the tokens is `id`. */
const LocalUser = Schema.Struct({
  id: UserId,
  email: Schema.String,
  salt: Schema.Uint8Array,
  hash: Schema.Uint8Array,
})
export type LocalUser = typeof LocalUser.Type
const decodeLocalUsers = Schema.decodeUnknownEffect(Schema.Array(LocalUser))

/** Creates the table of the local users unless it exists. */
export const createLocalUsers = (sql: SqlClient.SqlClient) => sql`
create table if not exists local_users (
  id text collate "C" primary key,
  email text collate "C" not null unique,
  salt bytea not null,
  hash bytea not null
)`

/** The one user whose `column` is exactly `value`. */
export const selectLocalUser = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  column: "id" | "email",
  value: string,
) {
  const rows = yield* abandonable(
    sql`select id, email, salt, hash from local_users where ${sql(column)} = ${value}`,
  )
  const [user] = yield* Effect.orDie(decodeLocalUsers(rows))
  return user
})

/** A user to create. The password is not secret, because such users exist for demonstrations and tests. */
export interface SeedUser {
  readonly email: string
  readonly password: string
}

/** Creates the user with a new id. A user with that e-mail remains as it is, with its password. Idempotent. */
export const seedUser = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  { email, password }: SeedUser,
) {
  if ((yield* selectLocalUser(sql, "email", email)) !== undefined) return
  const { salt, hash } = yield* hashPassword(password)
  yield* sql`insert into local_users (id, email, salt, hash)
    values (${randomUUID()}, ${email}, ${salt}, ${hash}) on conflict (email) do nothing`
})
