import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import { abandonable } from "../../foundation/Abandonable.ts"

/** Upper bound of any statement at the server: far above the slowest seen (8 ms), below what a caller waits. */
const STATEMENT_TIMEOUT_MILLIS = 2000

/** A row locked elsewhere (an operator's open transaction) fails the batch after this long. */
const LOCK_TIMEOUT_MILLIS = 1000

/** When the server says nothing at all: the design's three seconds, less what the HTTP answer needs. */
export const CALL_LIMIT_MILLIS = 2500

/** A connection that is not made by then is given up; the pool tries again for the next caller. */
export const CONNECT_TIMEOUT = "2 seconds"

/** One per committer: see `COMMITTERS` of the Increment program. */
const COMMIT_CONNECTIONS = 2

/** Leases and deletions of sent commits are seldom and may wait for one another. */
const OUTBOX_CONNECTIONS = 1

/** Board reads are shared by all requests in flight, so few are ever open at once. */
const READ_CONNECTIONS = 4

/** Gives up on a call that the server does not answer in time, without waiting for the call to stop. */
export const bounded = <A, E>(call: Effect.Effect<A, E>, limitMillis: number): Effect.Effect<A, E | Error> =>
  Effect.timeoutOrElse(abandonable(call), {
    duration: limitMillis,
    orElse: () => Effect.fail(new Error(`PostgreSQL did not answer within ${limitMillis} ms`)),
  })

const LIMITS = {
  statement_timeout: String(STATEMENT_TIMEOUT_MILLIS),
  lock_timeout: String(LOCK_TIMEOUT_MILLIS),
}

/** The connections of one process, by what they are for; they close with the scope. */
export const openPools = Effect.fnUntraced(function* (url: Redacted.Redacted) {
  const pool = (name: string, maxConnections: number, startupParameters: Record<string, string>) =>
    PgClient.make({
      url,
      maxConnections,
      applicationName: `scoreboard ${name}`,
      connectTimeout: CONNECT_TIMEOUT,
      startupParameters: { ...LIMITS, ...startupParameters },
    })
  return {
    // A generic plan halves the cost of small batches: the statement is the same whatever the arrays hold.
    commits: yield* pool("commit", COMMIT_CONNECTIONS, { plan_cache_mode: "force_generic_plan" }),
    reads: yield* pool("read", READ_CONNECTIONS, {}),
    // A lease or a deletion that a crash undoes only sends a message twice: neither waits for the disk.
    outbox: yield* pool("outbox", OUTBOX_CONNECTIONS, { synchronous_commit: "off" }),
  }
})
