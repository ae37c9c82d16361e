import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import { Amount, Count, HIGHEST_SET_SCORE, UserId } from "../../domain/Score.ts"
import type { Correction, CorrectionOutcome, Moderation, UndoOutcome } from "./SqlModeration.ts"
import { sqlState } from "./SqlRolledBack.ts"

/**
 * What goes into the columns `amount` and `points` of the history for an amount. Code of earlier releases reads only
 * `amount`: for an amount beyond `int` it shows the nearest one.
 */
const amountAndPoints = (sql: SqlClient.SqlClient, amount: Fragment) =>
  sql`greatest(-2147483648, least(2147483647, ${amount}))::int, case when ${amount} not between -2147483648 and 2147483647 then ${amount} end`

/**
 * What a score becomes. Nothing raises it above the highest, but one that is above can be lowered. A score that it may not
 * become is given as -1: the check of the table then refuses the whole statement, and the key that it took is free again.
 */
const changedScore = (sql: SqlClient.SqlClient, score: Fragment, amount: Fragment) =>
  sql`case when ${score} + ${amount} >= 0 and (${amount} < 0 or ${score} + ${amount} <= ${String(HIGHEST_SET_SCORE)}::bigint) then ${score} + ${amount} else -1 end`

/** Gives no rows if the check of the table refused the score. */
const unlessRefused = <A, E>(statement: Effect.Effect<ReadonlyArray<A>, E>) =>
  Effect.catchIf(
    statement,
    (error) => sqlState(error) === "23514",
    () => Effect.succeed([]),
  )

/**
 * Takes its locks in the order of the commit: the key, the score, the version, the levels. The row is locked before it is
 * changed, because a change does not say which event `reached` named before.
 */
const correctStatement = (sql: SqlClient.SqlClient, correction: Correction, moderation: Moderation) => {
  const amount = sql`${String(correction.amount)}::bigint`
  const key = sql`${correction.key ?? null}::text`
  return sql`
with event as materialized (select nextval('event_id') as id),
player as materialized (select id as user_id from users where id = ${moderation.userId} and ${amount} <= ${String(HIGHEST_SET_SCORE)}::bigint
  and (${amount} >= 0 or exists (select from scores where user_id = ${moderation.userId}))),
claimed as (insert into operator_keys (kind, key, user_id, event_id)
  select 'corrected', ${key}, p.user_id, e.id from player p, event e where ${key} is not null
  on conflict do nothing returning event_id),
counted as materialized (select user_id from player where ${key} is null or exists (select from claimed)),
locked as materialized (select user_id, reached from scores where user_id = (select user_id from counted) for update),
changed as (insert into scores as s (user_id, score, reached)
  select c.user_id, greatest(${amount}, 0), e.id from counted c cross join event e left join locked using (user_id)
  on conflict (user_id) do update set score = ${changedScore(sql, sql.literal("s.score"), amount)}, reached = excluded.reached
  returning user_id, score),
history as (insert into score_events (user_id, id, key, amount, points, score_after, kind, reason, actor, reached_before)
  select c.user_id, e.id, ${key}, ${amountAndPoints(sql, amount)}, c.score, 'corrected', ${moderation.reason}, ${moderation.actor}, l.reached
  from changed c cross join event e left join locked l using (user_id))
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
  const rows = yield* unlessRefused(correctStatement(sql, correction, moderation))
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

/**
 * Takes its locks in the same order; the key is the event that is undone. The score comes from the lock: an update computes
 * its row, and has it checked, before it looks whether the row has changed since the statement began.
 */
const undoStatement = (sql: SqlClient.SqlClient, eventId: string, moderation: Moderation) => {
  const amount = sql.literal("c.amount")
  return sql`
with event as materialized (select nextval('event_id') as id),
correction as materialized (select user_id, id, -coalesce(points, amount::bigint) as amount from score_events
  where user_id = ${moderation.userId} and id = ${eventId}::bigint and kind = 'corrected'
  and exists (select from scores where user_id = ${moderation.userId})),
claimed as (insert into operator_keys (kind, key, user_id, event_id)
  select 'undone', c.id::text, c.user_id, e.id from correction c, event e on conflict do nothing returning user_id),
locked as materialized (select user_id, score, reached from scores where user_id = (select user_id from claimed) for update),
place as materialized (select l.user_id, ${changedScore(sql, sql.literal("l.score"), amount)} as score,
    case when l.reached = c.id then reached_without(l.user_id, c.id) else l.reached end as reached
  from locked l join correction c using (user_id)),
changed as (update scores s set score = p.score, reached = p.reached from place p where s.user_id = p.user_id returning s.user_id, s.score),
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
  const rows = yield* unlessRefused(undoStatement(sql, eventId, moderation))
  const [undone] = yield* Effect.orDie(decodeUndone(rows))
  let outcome: UndoOutcome
  if (undone !== undefined) {
    outcome = { _tag: "Undone", ...undone }
    return outcome
  }
  const found = yield* sql`
select e.kind, k.event_id::text as "undoneBy"
from score_events e left join operator_keys k on k.kind = 'undone' and k.key = e.id::text
where e.user_id = ${moderation.userId} and e.id = ${eventId}::bigint`
  const [event] = yield* Effect.orDie(decodeUndoable(found))
  if (event?.kind !== "corrected") outcome = { _tag: "NotACorrection", kind: event?.kind }
  else if (event.undoneBy !== null) outcome = { _tag: "UndoneAlready", eventId: event.undoneBy }
  else outcome = { _tag: "OutOfRange" }
  return outcome
})
