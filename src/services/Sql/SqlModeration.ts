import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import { Count, UserId } from "../../domain/Score.ts"

/** Who is meant by an id or an e-mail. */
const FoundPlayer = Schema.Struct({
  id: UserId,
  email: Schema.String,
  score: Count,
  hidden: Schema.Boolean,
})
export type FoundPlayer = typeof FoundPlayer.Type
const decodeFoundPlayers = Schema.decodeUnknownEffect(Schema.Array(FoundPlayer))

/** As many as an operator may want to read. */
const FOUND_PLAYERS = 20

/** The players of this id or exactly this e-mail, which several may share. Reads the whole table. */
export const findPlayers = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, query: string) {
  const rows = yield* sql`
select u.id, u.email, coalesce(s.score, 0)::float8 as score, coalesce(s.hidden, false) as hidden
from users u left join scores s on s.user_id = u.id
where u.id = ${query} or u.email = ${query} order by u.id limit ${FOUND_PLAYERS}`
  return yield* Effect.orDie(decodeFoundPlayers(rows))
})

/** An operator's doing: to whom, by whom and why. */
export interface Moderation {
  readonly userId: UserId
  /** Who does it: a name for the history. */
  readonly actor: string
  readonly reason: string
}

const Outcome = Schema.Array(Schema.Struct({ score: Count }))
const decodeOutcome = Schema.decodeUnknownEffect(Outcome)

/**
 * Takes a player off the board, or puts them back; a player without a score gets one of 0. Gives the score; none when
 * it is so already. One statement; locks in the order of the commit.
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

/**
 * Adds to a score, or takes from it. Gives the new score; none when it would be below 0. One statement; locks in the
 * order of the commit.
 */
export const correctScore = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  amount: number,
  moderation: Moderation,
) {
  const rows = yield* sql`
with event as materialized (select nextval('event_id') as id),
changed as (insert into scores as s (user_id, score, reached)
  select u.id, greatest(${amount}::bigint, 0), e.id from users u, event e where u.id = ${moderation.userId}
    and (${amount}::bigint >= 0 or exists (select from scores where user_id = u.id))
  on conflict (user_id) do update set score = s.score + ${amount}::bigint, reached = excluded.reached
    where s.score + ${amount}::bigint >= 0
  returning user_id, score),
history as (insert into score_events (user_id, id, amount, score_after, kind, reason, actor)
  select c.user_id, e.id, ${amount}::int, c.score, 'corrected', ${moderation.reason}, ${moderation.actor}
  from changed c, event e)
select score::float8 as score from changed`
  const [row] = yield* Effect.orDie(decodeOutcome(rows))
  return row?.score
})

const ExportedEvent = Schema.Struct({
  userId: Schema.String,
  id: Schema.String,
  at: Schema.String,
  kind: Schema.String,
  amount: Schema.Int,
  score: Count,
  key: Schema.NullOr(Schema.String),
  reason: Schema.NullOr(Schema.String),
  actor: Schema.NullOr(Schema.String),
})
/** One row of the history with everything that is known of it; `at` is ISO 8601, UTC. */
export type ExportedEvent = typeof ExportedEvent.Type
const decodeExportedEvents = Schema.decodeUnknownEffect(Schema.Array(ExportedEvent))

/** Where an export goes on: after this row. */
export type ExportCursor = Pick<ExportedEvent, "userId" | "id">

/** Up to `limit` rows of the history of one player, or of all, by player and then in order, after a row. */
export const exportHistory = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  options: {
    readonly userId: UserId | undefined
    readonly after: ExportCursor | undefined
    readonly limit: number
  },
) {
  const after = options.after ?? { userId: "", id: "0" }
  const rows = yield* sql`
select user_id as "userId", id::text, to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at,
  kind, amount, score_after::float8 as score, key, reason, actor
from score_events
where (user_id, id) > (${after.userId}, ${after.id}::bigint)
  ${options.userId === undefined ? sql.literal("") : sql`and user_id = ${options.userId}`}
order by score_events.user_id, score_events.id limit ${options.limit}`
  return yield* Effect.orDie(decodeExportedEvents(rows))
})
