import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import { Count } from "../../domain/Score.ts"
import type { OutboxReport } from "./SqlInspection.ts"

/**
 * A commit is first due this long after it, by the default of the column. Each sweep that takes the commit moves `due`
 * from the time of the sweep.
 */
const FIRST_DUE = "5 seconds"

const OutboxMessage = Schema.Struct({ id: Schema.String, userId: Schema.String, email: Schema.String })
const Row = Schema.Struct({
  id: Schema.String,
  at: Schema.String,
  ageSeconds: Schema.Finite,
  due: Schema.String,
  swept: Schema.Boolean,
  size: Count,
  messages: Schema.Unknown,
})
const decodeRows = Schema.decodeUnknownEffect(
  Schema.Tuple([Schema.Struct({ total: Count, commits: Schema.Array(Row) })]),
)
const readMessages = Schema.decodeUnknownOption(Schema.Array(OutboxMessage))

/** See `SqlInspection.outbox`. A row whose messages cannot be read is listed without them. */
export const selectOutbox = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, limit: number) {
  const rows = yield* sql`
select (select count(*)::float8 from outbox) as total,
  coalesce((select json_agg(json_build_object(
      'id', id::text, 'at', to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'ageSeconds', round(extract(epoch from now() - at)::numeric, 3)::float8,
      'due', to_char(due at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'swept', due > at + ${FIRST_DUE}::interval,
      'size', case jsonb_typeof(messages) when 'array' then jsonb_array_length(messages) else 0 end,
      'messages', messages) order by o.id)
    from (select * from outbox order by id limit ${limit}) o), '[]') as commits`
  const [{ commits, total }] = yield* Effect.orDie(decodeRows(rows))
  const report: OutboxReport = {
    total,
    commits: commits.map((commit) => {
      const messages = readMessages(commit.messages)
      return { ...commit, messages: messages._tag === "Some" ? messages.value : [] }
    }),
  }
  return report
})
