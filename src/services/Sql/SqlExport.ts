import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import { Amount, Count } from "../../domain/Score.ts"
import type { ExportRequest } from "./SqlModeration.ts"

const ExportedRow = Schema.Struct({
  userId: Schema.String,
  id: Schema.String,
  at: Schema.String,
  kind: Schema.String,
  amount: Amount,
  score: Count,
  undoes: Schema.NullOr(Schema.String),
  key: Schema.NullOr(Schema.String),
  reason: Schema.NullOr(Schema.String),
  actor: Schema.NullOr(Schema.String),
})
const decodeExportedRows = Schema.decodeUnknownEffect(Schema.Array(ExportedRow))

/** Up to `limit` rows of the history of one player, or of all players: by player, then oldest first. */
export const exportHistory = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, request: ExportRequest) {
  const after = request.after ?? { userId: "", id: "0" }
  const rows = yield* sql`
select user_id as "userId", id::text, to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at,
  kind, coalesce(points, amount)::float8 as amount, score_after::float8 as score, undoes::text, key, reason, actor
from score_events
where (user_id, id) > (${after.userId}, ${after.id}::bigint)
  ${request.userId === undefined ? sql.literal("") : sql`and user_id = ${request.userId}`}
order by score_events.user_id, score_events.id limit ${request.limit}`
  return yield* Effect.orDie(decodeExportedRows(rows))
})
