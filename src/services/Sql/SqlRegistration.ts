import * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type { UserId } from "../../domain/Score.ts"

/** Stores a player's e-mail, or replaces the stored one. */
export const registerPlayer = (sql: SqlClient.SqlClient, userId: UserId, email: string) =>
  Effect.asVoid(sql`
insert into users (id, email) values (${userId}, ${email})
on conflict (id) do update set email = excluded.email where users.email <> excluded.email`)
