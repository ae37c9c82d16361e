import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import { Count, UserId } from "../../domain/Score.ts"
import type { Moderation } from "./SqlModeration.ts"

const FoundPlayerRow = Schema.Struct({
  id: UserId,
  email: Schema.String,
  score: Count,
  hidden: Schema.Boolean,
})
const decodeFoundPlayers = Schema.decodeUnknownEffect(Schema.Array(FoundPlayerRow))

/** Several players may share an e-mail; an operator reads a list of this length. */
const FOUND_PLAYERS = 20

/** Players by one column, which has an index; two columns in one condition would be a scan. */
export const playersStatement = (sql: SqlClient.SqlClient, column: "id" | "email", value: string) => sql`
select u.id, u.email, coalesce(s.score, 0)::float8 as score, coalesce(s.hidden, false) as hidden
from users u left join scores s on s.user_id = u.id
where u.${sql(column)} = ${value} order by u.id limit ${FOUND_PLAYERS}`

/** The player with this id; if there is none, the players with exactly this e-mail, at most 20. */
export const findPlayers = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, query: string) {
  const byId = yield* playersStatement(sql, "id", query)
  const rows = byId.length > 0 ? byId : yield* playersStatement(sql, "email", query)
  return yield* Effect.orDie(decodeFoundPlayers(rows))
})

const Outcome = Schema.Array(Schema.Struct({ score: Count }))
const decodeOutcome = Schema.decodeUnknownEffect(Outcome)

/**
 * Takes a player off the board, or puts them back; a player without a score gets a score of 0. Gives the score, or
 * undefined when nothing had to change. One statement, which takes its locks in the order of the commit.
 */
export const setHidden = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  hidden: boolean,
  moderation: Moderation,
) {
  const rows = yield* sql`
with event as materialized (select nextval('event_id') as id),
changed as (insert into scores as s (user_id, score, reached, hidden)
  select u.id, 0, e.id, true from users u, event e where u.id = ${moderation.userId}
    and (${hidden} or exists (select from scores where user_id = u.id))
  on conflict (user_id) do update set hidden = ${hidden} where s.hidden <> ${hidden}
  returning user_id, score),
history as (insert into score_events (user_id, id, amount, score_after, kind, reason, actor)
  select c.user_id, e.id, 0, c.score, ${hidden ? "hidden" : "restored"}, ${moderation.reason}, ${moderation.actor}
  from changed c, event e)
select score::float8 as score from changed`
  const [row] = yield* Effect.orDie(decodeOutcome(rows))
  return row?.score
})
