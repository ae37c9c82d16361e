import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import { UserId } from "../../domain/Score.ts"
import { monotonicMillis } from "../../foundation/MonotonicTime.ts"
import type { LeaseRequest, OutboxCommit } from "./Sql.ts"

/** How far back a lease looks that looks at every row: longer than any row lives. */
export const EVERYTHING_SECONDS = 1_000_000_000

/**
 * A lease looks this much further back than the last one that found everything. It is not needed for a commit, which is
 * there 2 s after its transaction began (the time limit of a statement) and due after 5 s.
 */
const OVERLAP_SECONDS = 1

/**
 * How often a lease looks at every row: for those that became visible long after they were due, such as the row of an
 * operator's long transaction, or of a process that died while it leased them.
 */
const EVERYTHING_EVERY_MILLIS = 60_000

/**
 * Takes commits that became due in the last `withinSeconds`, oldest first, and makes them due again after the lease. The ids
 * are an array: with a subquery in its place a long outbox would be read whole.
 */
export const leaseStatement = (
  sql: SqlClient.SqlClient,
  options: LeaseRequest & { readonly withinSeconds: number },
) => sql`
update outbox set due = now() + make_interval(secs => ${options.leaseSeconds}) where id = any (array(
  select id from outbox where due < now() and due >= now() - make_interval(secs => ${options.withinSeconds}::float8)
  order by due limit ${options.limit} for update skip locked))
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

/** A row that does not decode is logged as an error and stays in the table; the others are not held up by it. */
const decodeOutbox = (rows: ReadonlyArray<{ readonly id?: unknown }>) =>
  Effect.map(
    Effect.forEach(rows, (row) =>
      decodeOutboxRow(row).pipe(
        Effect.map((valid) => [commitOf(valid)]),
        Effect.catch((cause) =>
          Effect.as(
            Effect.annotateLogs(Effect.logError("An outbox row is not valid", cause), { id: row.id }),
            [],
          ),
        ),
      ),
    ),
    (decoded) => decoded.flat(),
  )

/**
 * Makes the lease of one process: it takes up to `limit` commits that are due, and makes them due again after
 * `leaseSeconds`. After a lease that took everything that was due, no older row is due again before its new time, so the
 * next lease looks only at what became due since. That matters while an old snapshot keeps the rows of sent commits:
 * there may be millions, all of them due.
 */
export const makeLease = (sql: SqlClient.SqlClient) => {
  let completeAt: number | undefined
  let everythingAt = Number.NEGATIVE_INFINITY
  return Effect.fnUntraced(function* (request: LeaseRequest) {
    const now = yield* monotonicMillis
    const before = completeAt
    const isEverything = before === undefined || now - everythingAt >= EVERYTHING_EVERY_MILLIS
    const withinSeconds = isEverything ? EVERYTHING_SECONDS : (now - before) / 1000 + OVERLAP_SECONDS
    if (isEverything) {
      // Stays so if the statement fails, by its time limit for example: the next leases find at least what is new.
      completeAt ??= now
      everythingAt = now
    }
    const rows = yield* leaseStatement(sql, { ...request, withinSeconds })
    if (rows.length < request.limit) {
      completeAt = now
    } else if (isEverything) {
      completeAt = before
      everythingAt = Number.NEGATIVE_INFINITY
    }
    return yield* decodeOutbox(rows)
  })
}
