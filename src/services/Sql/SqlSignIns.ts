import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import type { Moderation } from "./SqlModeration.ts"

const Ended = Schema.Tuple([Schema.Struct({ at: Schema.String })])
const decodeEnded = Schema.decodeUnknownEffect(Ended)

/**
 * Ends all sign-ins of a player and gives the moment; a player without a score gets a score of 0, so that every history
 * has a score. One statement, which takes its locks in the order of the commit: `ended` reads `score`, so `users` is
 * changed after `scores`.
 */
export const endSignIns = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, moderation: Moderation) {
  const { userId, reason, actor } = moderation
  const rows = yield* sql`
with event as materialized (select nextval('event_id') as id),
locked as materialized (select score from scores where user_id = ${userId} for update),
scored as (insert into scores (user_id, score, reached) select u.id, 0, e.id from users u, event e
  where u.id = ${userId} and not exists (select from locked) on conflict do nothing returning score),
score as materialized (select coalesce(max(score), 0) as score from (select score from locked union all select score from scored) s),
ended as (update users set tokens_from = greatest(tokens_from, clock_timestamp()) from score
  where id = ${userId} returning id, score, tokens_from),
history as (insert into score_events (user_id, id, amount, score_after, kind, reason, actor)
  select n.id, e.id, 0, n.score, 'signed-out', ${reason}, ${actor} from ended n, event e)
select to_char(tokens_from at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at from ended`
  const [row] = yield* Effect.orDie(decodeEnded(rows))
  return row.at
})
