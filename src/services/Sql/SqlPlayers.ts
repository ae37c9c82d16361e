import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import { Count, NO_ADDRESS, UserId } from "../../domain/Score.ts"
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

/**
 * Players by their e-mail in any case, as a pool compares them by default. It reads every player: no index has e-mails
 * in lower case, and one would cost every new player more than an operator's rare look saves. Materialized: in the order
 * of ids the table is read at random.
 */
const playersInAnyCase = (sql: SqlClient.SqlClient, email: string) => sql`
with found as materialized (select id, email from users where lower(email) = lower(${email}))
select u.id, u.email, coalesce(s.score, 0)::float8 as score, coalesce(s.hidden, false) as hidden
from found u left join scores s on s.user_id = u.id order by u.id limit ${FOUND_PLAYERS}`

/** See `SqlModeration.findPlayers`. */
export const findPlayers = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, query: string) {
  // Every imported player without an address is stored with this one.
  if (query === NO_ADDRESS) return []
  const ways = [
    playersStatement(sql, "id", query),
    playersStatement(sql, "email", query),
    playersStatement(sql, "email", query.toLowerCase()),
    // Only an e-mail is worth a look at every player: a mistyped id is not.
    ...(query.includes("@") ? [playersInAnyCase(sql, query)] : []),
  ]
  for (const way of ways) {
    const found = yield* Effect.orDie(decodeFoundPlayers(yield* way))
    if (found.length > 0) return found
  }
  return []
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
