import type * as SqlClient from "effect/sql/SqlClient"
import type { ImportedScore, ImportRules } from "./SqlImport.ts"

/**
 * `reached` of a score whose time in the other game is known: the microseconds since 1970 minus this, which is negative
 * until 2255. So imported scores are ordered by their time, all of them stand before every event of this game, whose ids
 * begin at 1, and JavaScript represents each without loss.
 */
const REACHED_OFFSET_MICROS = 9_000_000_000_000_000

/** A list of numbers as one text: the driver takes an array of numbers only if all of them have the same type. */
const numbers = (values: ReadonlyArray<number | undefined>): string =>
  `{${values.map((value) => value ?? "NULL").join()}}`

/** The key of a line, for ever: a player's id and the score. */
const keyOf = ({ userId, score }: ImportedScore): string => `${userId} ${score}`

const reachedOf = ({ reachedAtMicros }: ImportedScore): number | undefined =>
  reachedAtMicros === undefined ? undefined : reachedAtMicros - REACHED_OFFSET_MICROS

/** Of the history rows and of the keys. */
const KIND = "imported"

/**
 * Of every score, in order: whether it was imported before, whether the player is stored, whether an address is stored,
 * and whether the player has a score. Each is looked up by itself: while an import fills the tables, what the planner
 * knows of them is out of date, and it would read them whole.
 */
export const lookUpStatement = (sql: SqlClient.SqlClient, scores: ReadonlyArray<ImportedScore>) => sql`
select k.key is not null as repeated, u.id is not null as stored, coalesce(u.email, '') <> '' as addressed, s.user_id is not null as scored
from unnest(${scores.map(({ userId }) => userId)}::text[], ${scores.map(keyOf)}::text[]) with ordinality as r(user_id, key, n)
left join lateral (select key from operator_keys where kind = ${KIND} and key = r.key limit 1) k on true
left join lateral (select id, email from users where id = r.user_id limit 1) u on true
left join lateral (select user_id from scores where user_id = r.user_id limit 1) s on true
order by r.n`

/**
 * The scores of a transaction, each with an event id in their order, and those whose keys nobody claimed before. The count
 * is for nobody: it makes the claims end before the next step begins.
 */
const claims = (sql: SqlClient.SqlClient, scores: ReadonlyArray<ImportedScore>) => sql`
input as materialized (select nextval('event_id') as id, q.* from (
  select r.user_id collate "C" as user_id, r.key collate "C" as key, r.email, r.score, r.reached
  from unnest(
    ${scores.map(({ userId }) => userId)}::text[],
    ${scores.map(keyOf)}::text[],
    ${scores.map(({ email }) => email ?? "")}::text[],
    ${numbers(scores.map(({ score }) => score))}::bigint[],
    ${numbers(scores.map(reachedOf))}::bigint[]
  ) with ordinality as r(user_id, key, email, score, reached, n) order by r.n) q),
claimed as (insert into operator_keys (kind, key, user_id, event_id) select ${KIND}, key, user_id, id from input
  order by key on conflict do nothing returning event_id),
accepted as materialized (select i.*, count(*) over () as total from input i join claimed c on c.event_id = i.id)`

/** The SQLSTATE of a statement that undid itself, because it could not change every score that it claimed. */
export const UNDONE = "22012"

/**
 * The last steps: a history row for each of the `changes`, and one row for each score that was claimed. If one of these
 * was not changed, a division by zero undoes the statement, its claims included.
 */
const history = (sql: SqlClient.SqlClient, { reason, actor }: ImportRules) => sql`
history as (insert into score_events (user_id, id, amount, points, score_after, kind, reason, actor)
  select user_id, id, greatest(-2147483648, least(2147483647, points)),
    case when points between -2147483648 and 2147483647 then null else points end, score, ${KIND}, ${reason}, ${actor}
  from changes)
select a.user_id as "userId", 1 / (c.id is not null)::int as changed from accepted a left join changes c using (id)`

/**
 * Adds the scores of players who have none. Locks as a commit does: keys, scores, users, version, levels, all of them
 * sorted. One row for each score that was not imported before. Fails with `UNDONE` if somebody pressed for the first time
 * meanwhile.
 */
export const addStatement = (
  sql: SqlClient.SqlClient,
  scores: ReadonlyArray<ImportedScore>,
  rules: ImportRules,
) => sql`
with ${claims(sql, scores)},
added as (insert into scores (user_id, score, reached) select user_id, score, coalesce(reached, id) from accepted
  order by user_id on conflict (user_id) do nothing returning user_id, score),
registered as (insert into users as u (id, email)
  select user_id, case when ${rules.isVerified} then email else '' end from accepted order by user_id
  on conflict (id) do update set email = excluded.email where u.email = '' and excluded.email <> ''),
changes as materialized (select id, user_id, a.score as points, a.score from accepted join added a using (user_id)),
${history(sql, rules)}`

/**
 * Replaces the scores of players who have one: locks their rows, sorted, so that the difference is that of the score at
 * this moment. A score that is the same stays as it is, and keeps its place. Rows as those of `addStatement`. Fails with `UNDONE`
 * if somebody deleted a score meanwhile.
 */
export const setStatement = (
  sql: SqlClient.SqlClient,
  scores: ReadonlyArray<ImportedScore>,
  rules: ImportRules,
) => sql`
with ${claims(sql, scores)},
locked as materialized (select s.user_id, s.score from scores s
  where s.user_id = any (array(select user_id from accepted)) order by s.user_id for update),
changes as materialized (select a.id, a.user_id, a.score - l.score as points, a.score, coalesce(a.reached, a.id) as reached
  from accepted a join locked l using (user_id)),
moved as (update scores s set score = c.score, reached = c.reached from changes c where s.user_id = c.user_id and c.points <> 0),
${history(sql, rules)}`

/** Stores addresses, which count as verified, for stored players without one. */
export const addressStatement = (sql: SqlClient.SqlClient, scores: ReadonlyArray<ImportedScore>) => sql`
with locked as materialized (select u.id, r.email
  from unnest(${scores.map(({ userId }) => userId)}::text[], ${scores.map(({ email }) => email ?? "")}::text[]) as r(user_id, email)
  join users u on u.id = r.user_id where u.email = '' and r.email <> '' order by u.id for update of u)
update users u set email = l.email from locked l where u.id = l.id and u.email = ''`
