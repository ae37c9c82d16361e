import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import { Amount, Count } from "../../domain/Score.ts"
import type { HistoryPage, HistoryRequest } from "./Sql.ts"
import { isRefused } from "./SqlRevocation.ts"

/** Part of one player's history, newest first, with the score of the same snapshot. */
export const historyStatement = (sql: SqlClient.SqlClient, request: HistoryRequest) => sql`
select ${isRefused(sql, request)} as revoked,
  coalesce((select score::float8 from scores where user_id = ${request.userId}), 0) as score,
  coalesce((select json_agg(json_build_object('id', e.id::text, 'at', to_char(e.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'amount', coalesce(e.points, e.amount), 'score', e.score_after) order by e.id desc)
    from (select * from score_events where user_id = ${request.userId} and id < ${request.after ?? "9223372036854775807"}::bigint
      order by id desc limit ${request.limit}) e), '[]') as entries`

const HistoryRow = Schema.Tuple([
  Schema.Struct({
    revoked: Schema.Boolean,
    score: Count,
    entries: Schema.Array(
      Schema.Struct({ id: Schema.String, at: Schema.String, amount: Amount, score: Count }),
    ),
  }),
])
const decodeHistoryRow = Schema.decodeUnknownEffect(HistoryRow)

/** Runs it and reads its row. */
export const selectHistory = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, request: HistoryRequest) {
  const [row] = yield* decodeHistoryRow(yield* historyStatement(sql, request))
  const page: HistoryPage = row
  return page
})
