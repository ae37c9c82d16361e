import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { SqlFailure } from "./Sql.ts"

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
  }
>()("scoreboard/services/SqlUpkeep") {}
