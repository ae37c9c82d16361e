import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { SqlFailure } from "./Sql.ts"

/** A migration, as this code and the database know it. */
export interface MigrationState {
  /** Number and name: `0001_create_scores`. */
  readonly label: string
  /** ISO 8601, UTC; undefined while the database lacks it. */
  readonly appliedAt: string | undefined
  /** False for one that a newer release applied. */
  readonly known: boolean
}

/** The schema of the database. Only the admin command has it; the other processes migrate when they start. */
export class SqlSchema extends Context.Service<
  SqlSchema,
  {
    /** Every migration that this code or the database knows, by number. Takes no lock that a backup holds up. */
    readonly status: Effect.Effect<ReadonlyArray<MigrationState>, SqlFailure>

    /** Applies what is missing, and gives the labels of what this call applied. Idempotent; several may run at once. */
    readonly migrate: Effect.Effect<ReadonlyArray<string>, SqlFailure>
  }
>()("scoreboard/services/SqlSchema") {}
