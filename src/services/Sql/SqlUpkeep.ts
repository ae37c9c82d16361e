import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { SqlFailure } from "./Sql.ts"

/** A transaction that keeps dead rows in the tables. */
export interface OldSnapshot {
  /** Since the begin of the transaction. */
  readonly seconds: number
  /** The process id of the session; undefined for a prepared transaction. */
  readonly pid: number | undefined
  /** The session's `application_name`, or the name of the prepared transaction. */
  readonly name: string
}

/** Deletes what nobody needs any more. Any number of processes may do it at once: none waits for another. */
export class SqlUpkeep extends Context.Service<
  SqlUpkeep,
  {
    /** Deletes up to `limit` idempotency keys that are older than 24 hours, oldest first; gives how many. */
    pruneKeys(limit: number): Effect.Effect<number, SqlFailure>

    /**
     * Deletes up to `limit` revocations of tokens that expired more than 5 minutes ago, oldest first; gives how many.
     */
    pruneRevoked(limit: number): Effect.Effect<number, SqlFailure>

    /**
     * The transaction with the oldest snapshot of this database, whose dead rows nobody can remove meanwhile; undefined if
     * there is none. Transactions of other roles are seen only by a role that has `pg_read_all_stats`.
     */
    readonly oldestSnapshot: Effect.Effect<OldSnapshot | undefined, SqlFailure>
  }
>()("scoreboard/services/SqlUpkeep") {}
