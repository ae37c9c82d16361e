import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import type { IncrementAnswer, IncrementOutcome, IncrementRequest } from "./Sql.ts"

/**
 * The times as one text, "{1790000000,1790000001.5}": the driver takes an array of numbers only if all of them fit into
 * the same type, and writes the text at half the price.
 */
const signInTimes = (batch: ReadonlyArray<IncrementRequest>): string =>
  `{${batch.map((request) => request.signedInAtSeconds ?? 0).join()}}`

/**
 * The commit: one statement for a whole batch, one row per request in the order of the requests. Keys decide
 * what is new, scores rise per player, every counted request gets its history row and its place in the
 * outbox. Locks are taken in one order: keys, scores, users, version, nodes. See `docs/write-path.md`.
 *
 * A text that is absent is sent as "": PostgreSQL finds the type of an array by its texts. A stored address that is "" is
 * that of an imported player who has none yet (`NO_ADDRESS`): this commit stores the one that the request brings.
 *
 * `rows` is a full join, though both sides have the same players, because a full join is never a nested loop: the plan
 * that the server keeps expects one row, and a nested loop would compare each row of a batch with every other.
 *
 * A duplicate writes nothing, so its commit would not wait for a synchronous standby, though the commit that it repeats
 * may have given up waiting. Where there are such standbys, a message of a few bytes in PostgreSQL's log makes it wait.
 */
export const incrementsStatement = (sql: SqlClient.SqlClient, batch: ReadonlyArray<IncrementRequest>) => sql`
with input as materialized (
  select nextval('event_id') as id, q.* from (
    select r.n, r.user_id collate "C" as user_id, nullif(r.key, '') collate "C" as key,
      coalesce(nullif(u.email, ''), nullif(r.email, '')) as email, nullif(u.email, '') is null as missing,
      case when t.jti is not null or date_part('epoch', u.tokens_from) > r.signed_in then 'revoked'
        when nullif(u.email, '') is null and r.email = '' then 'unknown'
        when s.hidden then 'hidden' when s.score >= ${sql.literal(String(Number.MAX_SAFE_INTEGER))} then 'full' end as refused
    from unnest(
      ${batch.map((request) => request.userId)}::text[],
      ${batch.map((request) => request.email ?? "")}::text[],
      ${batch.map((request) => request.key ?? "")}::text[],
      ${batch.map((request) => request.tokenId ?? "")}::text[],
      ${signInTimes(batch)}::float8[]
    ) with ordinality as r(user_id, email, key, token_id, signed_in, n)
    left join users u on u.id = r.user_id
    left join scores s on s.user_id = r.user_id
    left join revoked_tokens t on t.jti = r.token_id
    order by r.n) q),
accepted as materialized (select * from input where refused is null),
registered as (insert into users as u (id, email) select distinct on (user_id) user_id, email from accepted
  where missing order by user_id, n on conflict (id) do update set email = excluded.email where u.email = ''),
claimed as (insert into idempotency_keys (user_id, key, event_id) select distinct on (user_id, key) user_id, key, id from accepted
  where key is not null order by user_id, key, n on conflict do nothing returning event_id),
counted as materialized (select *, row_number() over (partition by user_id order by id) as nth, count(*) over (partition by user_id) as total
  from accepted where key is null or id in (select event_id from claimed)),
bumped as (insert into scores as s (user_id, score, reached) select user_id, count(*), max(id) from counted group by user_id order by user_id
  on conflict (user_id) do update set score = s.score + excluded.score, reached = excluded.reached returning user_id, score),
rows as materialized (select c.id, c.user_id, c.email, c.key, b.score - c.total + c.nth as score_after from counted c full join bumped b using (user_id)),
history as (insert into score_events (user_id, id, key, amount, score_after) select user_id, id, key, 1, score_after from rows),
sent as (insert into outbox (messages) select jsonb_agg(jsonb_build_object('id', id::text, 'userId', user_id, 'email', email) order by id)
  from rows having count(*) > 0 returning id)
select coalesce(i.refused, case when r.id is not null then 'counted'
    when current_setting('synchronous_standby_names') = '' or pg_logical_emit_message(true, 'scoreboard', '') is not null then 'duplicate'
  end) as outcome,
  r.email, r.id::text as event_id, r.score_after::float8 as score, (select id from sent)::text as outbox_id
from input i left join rows r using (id) order by i.n`

const IncrementRow = Schema.Union([
  Schema.Struct({
    outcome: Schema.Literal("counted"),
    email: Schema.String,
    event_id: Schema.String,
    score: Schema.Int,
    outbox_id: Schema.String,
  }),
  Schema.Struct({
    outcome: Schema.Literals(["duplicate", "unknown", "hidden", "full", "revoked"]),
    outbox_id: Schema.NullOr(Schema.String),
  }),
])
type IncrementRow = typeof IncrementRow.Type
const decodeIncrementRows = Schema.decodeUnknownEffect(Schema.Array(IncrementRow))

const NOT_COUNTED = {
  duplicate: { _tag: "Duplicate" },
  unknown: { _tag: "UnknownPlayer" },
  hidden: { _tag: "Hidden" },
  full: { _tag: "Full" },
  revoked: { _tag: "Revoked" },
} as const

const outcomeOf = (row: IncrementRow): IncrementOutcome =>
  row.outcome === "counted"
    ? { _tag: "Counted", eventId: row.event_id, email: row.email, score: row.score }
    : NOT_COUNTED[row.outcome]

/** Runs the commit and reads what became of each request. */
export const commitIncrements = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  batch: ReadonlyArray<IncrementRequest>,
) {
  const rows = yield* decodeIncrementRows(yield* incrementsStatement(sql, batch))
  const answer: IncrementAnswer = {
    outcomes: rows.map(outcomeOf),
    // Every row carries the id of the batch's one outbox row.
    outboxId: rows[0]?.outbox_id ?? undefined,
  }
  return answer
})
