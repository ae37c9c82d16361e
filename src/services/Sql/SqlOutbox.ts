import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import { UserId } from "../../domain/Score.ts"
import type { LeaseRequest, OutboxCommit } from "./Sql.ts"

/**
 * Takes commits that are due, oldest first, and makes them due again after the lease. The ids are an array: with a
 * subquery in its place a long outbox would be read whole.
 */
export const leaseStatement = (sql: SqlClient.SqlClient, options: LeaseRequest) => sql`
update outbox set due = now() + make_interval(secs => ${options.leaseSeconds}) where id = any (array(
  select id from outbox where due < now() order by id limit ${options.limit} for update skip locked))
returning id::text, floor(extract(epoch from at) * 1000)::float8 as committed_at, messages`

/** Deletes commits by their ids. */
export const deleteOutboxStatement = (sql: SqlClient.SqlClient, ids: ReadonlyArray<string>) =>
  sql`delete from outbox where id = any(${ids}::bigint[])`

const OutboxRow = Schema.Struct({
  id: Schema.String,
  committed_at: Schema.Int,
  messages: Schema.Array(Schema.Struct({ id: Schema.String, userId: UserId, email: Schema.String })),
})
const decodeOutboxRow = Schema.decodeUnknownEffect(OutboxRow)

const commitOf = ({ id, committed_at, messages }: typeof OutboxRow.Type): OutboxCommit => ({
  id,
  committedAt: committed_at,
  messages,
})

/**
 * Takes up to `limit` commits that are due, and makes them due again after `leaseSeconds`. A row that does not decode
 * is logged as an error and stays in the table; the others are not held up by it.
 */
export const leaseOutbox = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, request: LeaseRequest) {
  const rows = yield* leaseStatement(sql, request)
  const decoded = yield* Effect.forEach(rows, (row) =>
    decodeOutboxRow(row).pipe(
      Effect.map((valid) => [commitOf(valid)]),
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
