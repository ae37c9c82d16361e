import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import type { Moderation } from "./SqlModeration.ts"

const Ended = Schema.Tuple([Schema.Struct({ at: Schema.String })])
const decodeEnded = Schema.decodeUnknownEffect(Ended)

/**
 * Ends all sign-ins of a player and gives the moment; a player without a score gets a score of 0, so that every history
 * has a score. A score that is there is set to itself: that locks its row and reads what a commit before it left. One
 * statement, which takes its locks in the order of the commit: `ended` reads `scored`, so `users` is changed after `scores`.
 */
export const endSignIns = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, moderation: Moderation) {
  const { userId, reason, actor } = moderation
  const rows = yield* sql`
with event as materialized (select nextval('event_id') as id),
scored as (insert into scores as s (user_id, score, reached) select u.id, 0, e.id from users u, event e where u.id = ${userId}
  on conflict (user_id) do update set score = s.score returning score),
ended as (update users set tokens_from = greatest(tokens_from, clock_timestamp()) from scored
  where id = ${userId} returning id, score, tokens_from),
history as (insert into score_events (user_id, id, amount, score_after, kind, reason, actor)
  select n.id, e.id, 0, n.score, 'signed-out', ${reason}, ${actor} from ended n, event e)
select to_char(tokens_from at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at from ended`
  const [row] = yield* Effect.orDie(decodeEnded(rows))
  return row.at
})
