import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import { Amount, Count, HIGHEST_SET_SCORE, UserId } from "../../domain/Score.ts"
import type { Correction, CorrectionOutcome, Moderation, UndoOutcome } from "./SqlModeration.ts"

/**
 * What goes into the columns `amount` and `points` of the history for an amount. Code of earlier releases reads only
 * `amount`: for an amount beyond `int` it shows the nearest one.
 */
const amountAndPoints = (sql: SqlClient.SqlClient, amount: Fragment) =>
  sql`greatest(-2147483648, least(2147483647, ${amount}))::int, case when ${amount} not between -2147483648 and 2147483647 then ${amount} end`

/** Whether a score may become another: nothing raises one above the highest, but one that is above it can be lowered. */
const isAllowed = (sql: SqlClient.SqlClient, score: Fragment, amount: Fragment) =>
  sql`${score} + ${amount} >= 0 and (${amount} < 0 or ${score} + ${amount} <= ${String(HIGHEST_SET_SCORE)}::bigint)`

/**
 * Locks the player's row, then the key, then the version and the levels. Only operators take these keys, one each and
 * after one row of `scores`, so they cannot deadlock with a commit or with each other. The row comes first because a key
 * may only be taken when the correction counts, and the score that decides it is known under its lock.
 */
const correctStatement = (sql: SqlClient.SqlClient, correction: Correction, moderation: Moderation) => {
  const amount = sql`${String(correction.amount)}::bigint`
  const key = sql`${correction.key ?? null}::text`
  return sql`
with event as materialized (select nextval('event_id') as id),
locked as materialized (select user_id, score, reached from scores where user_id = ${moderation.userId} for update),
allowed as materialized (select u.id as user_id, l.reached from users u left join locked l on l.user_id = u.id
  where u.id = ${moderation.userId} and ${isAllowed(sql, sql`coalesce(l.score, 0)`, amount)}),
claimed as (insert into operator_keys (kind, key, user_id, event_id)
  select 'corrected', ${key}, a.user_id, e.id from allowed a, event e where ${key} is not null
  on conflict do nothing returning event_id),
changed as (insert into scores as s (user_id, score, reached)
  select a.user_id, greatest(${amount}, 0), e.id from allowed a, event e where ${key} is null or exists (select from claimed)
  on conflict (user_id) do update set score = s.score + ${amount}, reached = excluded.reached returning user_id, score),
history as (insert into score_events (user_id, id, key, amount, points, score_after, kind, reason, actor, reached_before)
  select c.user_id, e.id, ${key}, ${amountAndPoints(sql, amount)}, c.score, 'corrected', ${moderation.reason}, ${moderation.actor}, a.reached
  from changed c, event e, allowed a)
select e.id::text as "eventId", c.score::float8 as score from changed c, event e`
}

const Counted = Schema.Array(Schema.Struct({ eventId: Schema.String, score: Count }))
const decodeCounted = Schema.decodeUnknownEffect(Counted)

const KeyOwner = Schema.Array(
  Schema.Struct({ userId: UserId, eventId: Schema.String, amount: Amount, score: Count }),
)
const decodeKeyOwner = Schema.decodeUnknownEffect(KeyOwner)

/**
 * The correction that counted under a key. A statement of its own: it sees what the one before it waited for. With
 * synchronous standbys it waits until they have that correction, as a repeated increment does.
 */
const keyOwner = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, key: string) {
  const rows = yield* sql`
select e.user_id as "userId", e.id::text as "eventId", coalesce(e.points, e.amount)::float8 as amount, e.score_after::float8 as score,
  current_setting('synchronous_standby_names') = '' or pg_logical_emit_message(true, 'scoreboard', '') is not null as kept
from operator_keys k join score_events e on e.user_id = k.user_id and e.id = k.event_id
where k.kind = 'corrected' and k.key = ${key}`
  const [owner] = yield* Effect.orDie(decodeKeyOwner(rows))
  return owner
})

/** Adds an amount, which may be negative, to a score; under a key, once for ever. */
export const correctScore = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  correction: Correction,
  moderation: Moderation,
) {
  const rows = yield* correctStatement(sql, correction, moderation)
  const [counted] = yield* Effect.orDie(decodeCounted(rows))
  const { amount, key } = correction
  let outcome: CorrectionOutcome = { _tag: "OutOfRange" }
  if (counted !== undefined) {
    outcome = { _tag: "Corrected", ...counted, repeated: false }
  } else if (key !== undefined) {
    const owner = yield* keyOwner(sql, key)
    if (owner?.userId === moderation.userId && owner.amount === amount)
      outcome = { _tag: "Corrected", eventId: owner.eventId, score: owner.score, repeated: true }
    else if (owner !== undefined)
      outcome = { _tag: "KeyTaken", userId: owner.userId, amount: owner.amount, eventId: owner.eventId }
  }
  return outcome
})

/** Takes its locks in the same order; the key is the event that is undone. */
const undoStatement = (sql: SqlClient.SqlClient, eventId: string, moderation: Moderation) => {
  const amount = sql.literal("c.amount")
  return sql`
with event as materialized (select nextval('event_id') as id),
correction as materialized (select user_id, id, -coalesce(points, amount::bigint) as amount from score_events
  where user_id = ${moderation.userId} and id = ${eventId}::bigint and kind = 'corrected'),
locked as materialized (select user_id, score, reached from scores where user_id = (select user_id from correction) for update),
allowed as materialized (select l.user_id, c.id, c.amount,
    case when l.reached = c.id then reached_without(l.user_id, c.id) else l.reached end as reached
  from locked l, correction c where ${isAllowed(sql, sql.literal("l.score"), amount)}),
claimed as (insert into operator_keys (kind, key, user_id, event_id)
  select 'undone', a.id::text, a.user_id, e.id from allowed a, event e on conflict do nothing returning user_id),
changed as (update scores s set score = s.score + a.amount, reached = a.reached
  from allowed a join claimed using (user_id) where s.user_id = a.user_id returning s.user_id, s.score),
history as (insert into score_events (user_id, id, amount, points, score_after, kind, reason, actor, undoes)
  select n.user_id, e.id, ${amountAndPoints(sql, amount)}, n.score, 'undone', ${moderation.reason}, ${moderation.actor}, c.id
  from changed n, event e, correction c)
select e.id::text as "eventId", c.amount::float8 as amount, n.score::float8 as score from changed n, event e, correction c`
}

const Undone = Schema.Array(Schema.Struct({ eventId: Schema.String, amount: Amount, score: Count }))
const decodeUndone = Schema.decodeUnknownEffect(Undone)

const Undoable = Schema.Array(Schema.Struct({ kind: Schema.String, undoneBy: Schema.NullOr(Schema.String) }))
const decodeUndoable = Schema.decodeUnknownEffect(Undoable)

/** Takes a correction back. */
export const undoCorrection = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  eventId: string,
  moderation: Moderation,
) {
  const [undone] = yield* Effect.orDie(decodeUndone(yield* undoStatement(sql, eventId, moderation)))
  let outcome: UndoOutcome
  if (undone !== undefined) {
    outcome = { _tag: "Undone", ...undone }
    return outcome
  }
  const rows = yield* sql`
select e.kind, k.event_id::text as "undoneBy"
from score_events e left join operator_keys k on k.kind = 'undone' and k.key = e.id::text
where e.user_id = ${moderation.userId} and e.id = ${eventId}::bigint`
  const [event] = yield* Effect.orDie(decodeUndoable(rows))
  if (event?.kind !== "corrected") outcome = { _tag: "NotACorrection", kind: event?.kind }
  else if (event.undoneBy !== null) outcome = { _tag: "UndoneAlready", eventId: event.undoneBy }
  else outcome = { _tag: "OutOfRange" }
  return outcome
})
