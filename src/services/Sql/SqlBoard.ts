import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import { type Board, BoardStamp, Scores } from "../../domain/Score.ts"

/**
 * The board and its stamp from one snapshot: never split this into two statements, never send it to a replica. The
 * limit is a literal: with a parameter PostgreSQL would make a new plan for every call.
 */
export const boardStatement = (sql: SqlClient.SqlClient, limit: number) => sql`
select e.epoch, v.version::float8 as version, v.committed_at, coalesce(t.scores, '[]') as scores
from board_epoch e
cross join (select sum(n) as version, floor(extract(epoch from max(at)) * 1000)::float8 as committed_at from board_version) v
cross join (
  select json_agg(json_build_object('email', u.email, 'score', s.score) order by s.score desc, s.reached, s.user_id) as scores
  from (select user_id, score, reached from scores where not hidden and score > 0 order by score desc, reached, user_id limit ${sql.literal(String(limit))}) s
  join users u on u.id = s.user_id) t`

const BoardRow = Schema.Tuple([
  Schema.Struct({
    epoch: BoardStamp.fields.epoch,
    version: BoardStamp.fields.version,
    committed_at: BoardStamp.fields.committedAt,
    scores: Scores,
  }),
])
const decodeBoardRow = Schema.decodeUnknownEffect(BoardRow)

/** The best `limit` players with the stamp of the same snapshot. */
export const selectBoard = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, limit: number) {
  const [row] = yield* decodeBoardRow(yield* boardStatement(sql, limit))
  const board: Board = {
    scores: row.scores,
    epoch: row.epoch,
    version: row.version,
    committedAt: row.committed_at,
  }
  return board
})
