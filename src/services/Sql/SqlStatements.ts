import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import { BoardStamp, Count, Scores, UserId } from "../../domain/Score.ts"

/** One request to raise a score by one. Texts that are absent are empty: PostgreSQL types an array by its texts. */
export interface IncrementRequest {
  readonly userId: UserId
  /** The player's e-mail when the caller knows it, else "": then the stored one counts. */
  readonly email: string
  /** `Idempotency-Key`: visible ASCII, at most 255 characters; "" = count without one. */
  readonly key: string
  /** The access token's `jti`, by which a logout refuses it; "" = the token has none. */
  readonly tokenId: string
}

const IncrementRow = Schema.Struct({
  outcome: Schema.Literals(["counted", "duplicate", "unknown", "hidden", "revoked"]),
  email: Schema.NullOr(Schema.String),
  event_id: Schema.NullOr(Schema.String),
  score: Schema.NullOr(Schema.Int),
  outbox_id: Schema.NullOr(Schema.String),
})
/** What became of one request; `event_id`, `score` and `outbox_id` are set when it was counted. */
export type IncrementRow = typeof IncrementRow.Type
const decodeIncrementRows = Schema.decodeUnknownEffect(Schema.Array(IncrementRow))

/**
 * The commit: one statement for a whole batch, one row per request in the order of the requests. Keys decide
 * what is new, scores rise per player, every counted request gets its history row and its place in the
 * outbox. Locks are taken in one order: keys, scores, users, version, levels. See `docs/write-path.md`.
 *
 * `rows` joins fully, though both sides have the same players, because then it is never a nested loop: the kept plan
 * expects one row, and compared each of a batch with each other.
 */
export const incrementsStatement = (sql: SqlClient.SqlClient, batch: ReadonlyArray<IncrementRequest>) => sql`
with input as materialized (
  select nextval('event_id') as id, q.* from (
    select r.n, r.user_id collate "C" as user_id, nullif(r.key, '') collate "C" as key,
      coalesce(u.email, nullif(r.email, '')) as email, u.id is null as missing,
      case when t.jti is not null then 'revoked'
        when u.id is null and r.email = '' then 'unknown'
        when s.hidden then 'hidden' end as refused
    from unnest(
      ${batch.map((request) => request.userId)}::text[],
      ${batch.map((request) => request.email)}::text[],
      ${batch.map((request) => request.key)}::text[],
      ${batch.map((request) => request.tokenId)}::text[]
    ) with ordinality as r(user_id, email, key, token_id, n)
    left join users u on u.id = r.user_id
    left join scores s on s.user_id = r.user_id
    left join revoked_tokens t on t.jti = r.token_id
    order by r.n) q),
accepted as materialized (select * from input where refused is null),
registered as (insert into users (id, email) select distinct on (user_id) user_id, email from accepted
  where missing order by user_id, n on conflict (id) do nothing),
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
select coalesce(i.refused, case when r.id is null then 'duplicate' else 'counted' end) as outcome,
  r.email, r.id::text as event_id, r.score_after::float8 as score, (select id from sent)::text as outbox_id
from input i left join rows r using (id) order by i.n`

/** Runs the commit and reads its rows. */
export const commitIncrements = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  batch: ReadonlyArray<IncrementRequest>,
) {
  return yield* decodeIncrementRows(yield* incrementsStatement(sql, batch))
})

const BoardRow = Schema.Tuple([
  Schema.Struct({
    epoch: BoardStamp.fields.epoch,
    version: BoardStamp.fields.version,
    committed_at: BoardStamp.fields.committedAt,
    scores: Scores,
  }),
])
const decodeBoardRow = Schema.decodeUnknownEffect(BoardRow)

/**
 * The board and its stamp from one snapshot: never split this into two statements, never send it to a replica. The
 * limit is a literal: for a parameter PostgreSQL would plan anew with every call.
 */
export const boardStatement = (sql: SqlClient.SqlClient, limit: number) => sql`
select e.epoch, v.version::float8 as version, v.committed_at, coalesce(t.scores, '[]') as scores
from board_epoch e
cross join (select sum(n) as version, floor(extract(epoch from max(at)) * 1000)::float8 as committed_at from board_version) v
cross join (
  select json_agg(json_build_object('email', u.email, 'score', s.score) order by s.score desc, s.reached, s.user_id) as scores
  from (select user_id, score, reached from scores where not hidden and score > 0 order by score desc, reached, user_id limit ${sql.literal(String(limit))}) s
  join users u on u.id = s.user_id) t`

/** The best `limit` players with the stamp of the same snapshot. */
export const selectBoard = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, limit: number) {
  const [row] = yield* decodeBoardRow(yield* boardStatement(sql, limit))
  return { scores: row.scores, epoch: row.epoch, version: row.version, committedAt: row.committed_at }
})

const OutboxRow = Schema.Struct({
  id: Schema.String,
  committed_at: Schema.Int,
  messages: Schema.Array(Schema.Struct({ id: Schema.String, userId: UserId, email: Schema.String })),
})
/** One commit's messages, still to be sent; `committed_at` in milliseconds since 1970. */
export type OutboxRow = typeof OutboxRow.Type
const decodeOutboxRow = Schema.decodeUnknownEffect(OutboxRow)

/** How long a lease lasts, and of how many commits at most. */
export interface LeaseRequest {
  readonly leaseSeconds: number
  readonly limit: number
}

/** Commits that are due, oldest first, made due again after the lease. An array, or a long outbox is read whole. */
export const leaseStatement = (sql: SqlClient.SqlClient, options: LeaseRequest) => sql`
update outbox set due = now() + make_interval(secs => ${options.leaseSeconds}) where id = any (array(
  select id from outbox where due < now() order by id limit ${options.limit} for update skip locked))
returning id::text, floor(extract(epoch from at) * 1000)::float8 as committed_at, messages`

/** Forgets commits by their ids. */
export const deleteOutboxStatement = (sql: SqlClient.SqlClient, ids: ReadonlyArray<string>) =>
  sql`delete from outbox where id = any(${ids}::bigint[])`

/**
 * Takes up to `limit` commits that are due, and makes them due again after `leaseSeconds`. A row that does not
 * decode is an error in the log and stays where it is: the others are not held up by it.
 */
export const leaseOutbox = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, options: LeaseRequest) {
  const rows = yield* leaseStatement(sql, options)
  const decoded = yield* Effect.forEach(rows, (row) =>
    decodeOutboxRow(row).pipe(
      Effect.map((valid) => [valid]),
      Effect.catch((cause) =>
        Effect.as(
          Effect.annotateLogs(Effect.logError("An outbox row is not valid", cause), { id: row["id"] }),
          [],
        ),
      ),
    ),
  )
  return decoded.flat()
})

const HistoryRow = Schema.Tuple([
  Schema.Struct({
    revoked: Schema.Boolean,
    score: Count,
    entries: Schema.Array(
      Schema.Struct({ id: Schema.String, at: Schema.String, amount: Schema.Int, score: Count }),
    ),
  }),
])
/** `score` is the player's now, 0 without one; `entries` in the shape of the contract. */
export type HistoryPage = (typeof HistoryRow.Type)[0]
const decodeHistoryRow = Schema.decodeUnknownEffect(HistoryRow)

/** Which part of whose history, and the `jti` ("" = none) of the token it is asked with. */
export interface HistoryRequest {
  readonly userId: UserId
  readonly tokenId: string
  /** Entries older than this event; none = from the newest. */
  readonly after: string | undefined
  readonly limit: number
}

/** One page of one player's history, newest first, with the score of the same snapshot. */
export const historyStatement = (sql: SqlClient.SqlClient, request: HistoryRequest) => sql`
select exists (select from revoked_tokens where jti = ${request.tokenId}) as revoked,
  coalesce((select score::float8 from scores where user_id = ${request.userId}), 0) as score,
  coalesce((select json_agg(json_build_object('id', e.id::text, 'at', to_char(e.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'amount', e.amount, 'score', e.score_after) order by e.id desc)
    from (select * from score_events where user_id = ${request.userId} and id < ${request.after ?? "9223372036854775807"}::bigint
      order by id desc limit ${request.limit}) e), '[]') as entries`

/** Runs it and reads its row. */
export const selectHistory = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, request: HistoryRequest) {
  const [row] = yield* decodeHistoryRow(yield* historyStatement(sql, request))
  return row
})
