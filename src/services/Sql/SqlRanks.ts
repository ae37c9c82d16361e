import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import type * as SqlError from "effect/sql/SqlError"
import { NEIGHBOURS, percentileOf, RANK_PAGE, type RankPage, ranksOf } from "../../domain/Ranks.ts"
import { BOARD_SIZE, BoardStamp, Count } from "../../domain/Score.ts"
import type { RankPageRequest, StandingAnswer, StandingRequest } from "./Sql.ts"
import { playersAboveBoth } from "./SqlRankNodes.ts"
import { isRefused } from "./SqlRevocation.ts"

/**
 * One player's rank, place on the top ten and neighbours, with the stamp of the board, as one statement. The two ends of a tie and the scores beyond it are separate branches, each one
 * descent of the board's index, because one condition over both would read the whole tie. A rank is looked up in
 * `rank_node`. The limits are literals: with a parameter the plan that the server keeps would expect
 * a tenth of the table, so it would make a new plan for every call, which takes longer than the call itself. `top` and
 * the place in it (0 = none) are those of `boardStatement`: a score without a row in `users` has no place. Whether they
 * have one is looked up only for a player of the top ten.
 */
export const standingStatement = (sql: SqlClient.SqlClient, request: StandingRequest) => {
  const few = sql.literal(String(NEIGHBOURS))
  const ten = sql.literal(String(BOARD_SIZE))
  return sql`
with me as materialized (select user_id, score, reached from scores where user_id = ${request.userId} and not hidden),
above as (select a.* from me cross join lateral (
  select * from (
    (select s.score, s.reached, s.user_id from scores s
      where not s.hidden and s.score = me.score and (s.reached, s.user_id) < (me.reached, me.user_id)
      order by s.reached desc, s.user_id desc limit ${few})
    union all
    (select s.score, s.reached, s.user_id from scores s where not s.hidden and s.score > me.score
      order by s.score, s.reached desc, s.user_id desc limit ${few})) n
  order by score, reached desc, user_id desc limit ${few}) a),
below as (select b.* from me cross join lateral (
  select * from (
    (select s.score, s.reached, s.user_id from scores s
      where not s.hidden and s.score = me.score and (s.reached, s.user_id) > (me.reached, me.user_id)
      order by s.reached, s.user_id limit ${few})
    union all
    (select s.score, s.reached, s.user_id from scores s where not s.hidden and s.score < me.score
      order by s.score desc, s.reached, s.user_id limit ${few})) n
  order by score desc, reached, user_id limit ${few}) b),
stretch as materialized (
  select 'above' as side, * from above union all select 'me', score, reached, user_id from me union all select 'below', * from below),
first as materialized (select max(score) as score from stretch),
second as materialized (select max(score) as score from stretch where score < (select score from first)),
ahead as materialized (${playersAboveBoth(sql, sql`(select score from first)`, sql`(select score from second)`)}),
top as materialized (select user_id, score, reached from scores where not hidden and score > 0
  order by score desc, reached, user_id limit ${ten})
select ${isRefused(sql, request)} as revoked,
  coalesce((select score::float8 from scores where user_id = ${request.userId}), 0) as score,
  (select epoch from board_epoch) as epoch,
  (select sum(n)::float8 from board_version) as version,
  (select count(*)::int from me cross join top t
    where exists (select from top where user_id = ${request.userId})
      and (t.score > me.score or (t.score = me.score and (t.reached, t.user_id) <= (me.reached, me.user_id)))
      and exists (select from users u where u.id = t.user_id)) as place,
  (select players from ahead) as players,
  (select first from ahead) as ahead_of_first,
  (select second from ahead) as ahead_of_second,
  coalesce((select json_agg(json_build_object('side', t.side, 'email', u.email, 'score', t.score)
      order by t.score desc, t.reached, t.user_id)
    from stretch t left join users u on u.id = t.user_id), '[]') as stretch`
}

/** A place whose player has no row in `users` counts for the ranks of the others, but is not shown. */
const Place = Schema.Struct({ email: Schema.NullOr(Schema.String), score: Count })

const StandingRow = Schema.Tuple([
  Schema.Struct({
    revoked: Schema.Boolean,
    score: Count,
    epoch: BoardStamp.fields.epoch,
    version: BoardStamp.fields.version,
    place: Schema.Int,
    players: Count,
    ahead_of_first: Count,
    ahead_of_second: Count,
    stretch: Schema.Array(
      Schema.Struct({ ...Place.fields, side: Schema.Literals(["above", "me", "below"]) }),
    ),
  }),
])
const decodeStandingRow = Schema.decodeUnknownEffect(StandingRow)

interface RankedPlace {
  readonly rank: number
  readonly email: string | null
  readonly score: number
}
const shown = (places: ReadonlyArray<RankedPlace>) =>
  places.flatMap(({ rank, email, score }) => (email === null ? [] : [{ rank, email, score }]))

/** One player's rank and neighbours from one snapshot: never split this into two statements. */
export const selectStanding = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  request: StandingRequest,
): Effect.fn.Return<StandingAnswer, SqlError.SqlError> {
  const [row] = yield* Effect.orDie(decodeStandingRow(yield* standingStatement(sql, request)))
  const ranks = ranksOf(row.stretch, row.ahead_of_first, row.ahead_of_second)
  const places = row.stretch.map((place, at) => ({ ...place, rank: ranks[at] ?? 1 }))
  const me = places.find(({ side }) => side === "me")
  const rank = me?.rank ?? null
  return {
    revoked: row.revoked,
    rank,
    place: row.place === 0 || (me?.email ?? null) === null ? null : row.place,
    epoch: row.epoch,
    version: row.version,
    score: row.score,
    players: row.players,
    percentile: rank === null ? null : percentileOf(rank, row.players),
    above: shown(places.filter(({ side }) => side === "above")),
    below: shown(places.filter(({ side }) => side === "below")),
  }
})

/** Before the first place of any board: the largest bigint is above every score. */
const TOP = "9223372036854775807.0.0"

const partsOf = (cursor: string) => {
  const [score = "", reached = "", skip = ""] = cursor.split(".")
  return { score, reached, skip }
}

/**
 * The part of the board that follows a cursor, as one statement: the rest of the players with the cursor's score and
 * event (one player, unless somebody wrote rows by hand), then the rest with its score, then lower scores.
 */
export const pageStatement = (sql: SqlClient.SqlClient, request: RankPageRequest) => {
  const { score, reached, skip } = partsOf(request.after ?? TOP)
  // A literal here too, the same for every size of page; the page's own limit applies to the rows found.
  const most = sql.literal(String(RANK_PAGE + 1))
  return sql`
with stretch as materialized (
  select * from (
    (select score, reached, user_id from scores
      where not hidden and score = ${score}::bigint and reached = ${reached}::bigint
      order by user_id offset ${skip}::bigint limit ${most})
    union all
    (select score, reached, user_id from scores where not hidden and score = ${score}::bigint and reached > ${reached}::bigint
      order by reached, user_id limit ${most})
    union all
    (select score, reached, user_id from scores where not hidden and score < ${score}::bigint
      order by score desc, reached, user_id limit ${most})) s
  order by score desc, reached, user_id limit ${request.limit}),
first as materialized (select max(score) as score from stretch),
second as materialized (select max(score) as score from stretch where score < (select score from first)),
ahead as materialized (${playersAboveBoth(sql, sql`(select score from first)`, sql`(select score from second)`)})
select
  (select first from ahead) as ahead_of_first,
  (select second from ahead) as ahead_of_second,
  coalesce((select json_agg(json_build_object('email', u.email, 'score', t.score, 'reached', t.reached::text)
      order by t.score desc, t.reached, t.user_id)
    from stretch t left join users u on u.id = t.user_id), '[]') as stretch`
}

const PageRow = Schema.Tuple([
  Schema.Struct({
    ahead_of_first: Count,
    ahead_of_second: Count,
    stretch: Schema.Array(Schema.Struct({ ...Place.fields, reached: Schema.String })),
  }),
])
const decodePageRow = Schema.decodeUnknownEffect(PageRow)

/** One page of the whole board, from one snapshot. A player who moves between two reads can be on both pages, or on none. */
export const selectPage = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  request: RankPageRequest,
): Effect.fn.Return<RankPage, SqlError.SqlError> {
  const statement = pageStatement(sql, { ...request, limit: request.limit + 1 })
  const [row] = yield* Effect.orDie(decodePageRow(yield* statement))
  const stretch = row.stretch.slice(0, request.limit)
  const ranks = ranksOf(stretch, row.ahead_of_first, row.ahead_of_second)
  const last = stretch.at(-1)
  return {
    scores: shown(stretch.map((place, at) => ({ ...place, rank: ranks[at] ?? 1 }))),
    next:
      last === undefined || row.stretch.length <= request.limit
        ? null
        : `${last.score}.${last.reached}.${seenAt(stretch, last, request.after)}`,
  }
})

type PagePlace = (typeof PageRow.Type)[0]["stretch"][number]

/** How many players with the last row's score and event come before the page's end, counting those of earlier pages. */
const seenAt = (stretch: ReadonlyArray<PagePlace>, last: PagePlace, after: string | undefined): number => {
  const here = stretch.filter(({ score, reached }) => score === last.score && reached === last.reached).length
  const { score, reached, skip } = partsOf(after ?? TOP)
  return score === String(last.score) && reached === last.reached ? here + Number(skip) : here
}
