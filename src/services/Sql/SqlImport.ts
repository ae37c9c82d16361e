import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { UserId } from "../../domain/Score.ts"
import type { SqlFailure } from "./Sql.ts"

/** The score of one player in another game. */
export interface ImportedScore {
  readonly userId: UserId
  readonly score: number
  /** Undefined if the file has none, or none that can be an address. */
  readonly email: string | undefined
  /** When the score was reached, in microseconds since 1970. */
  readonly reachedAtMicros: number | undefined
}

/** What becomes of a score: */
export type ImportOutcome =
  /** the player had none, */
  | "added"
  /** it replaces the player's score, */
  | "set"
  /** this score of this player was imported before, so nothing changes, */
  | "repeated"
  /** or the player is not stored and no address is given, so nothing changes. */
  | "unknown"

/** How to import, the same for all scores of a run. */
export interface ImportRules {
  /** The operator's name, for the history. */
  readonly actor: string
  /** Why, for the history. */
  readonly reason: string
  /** Whether the addresses count as verified. Only then they are stored, for players without one. */
  readonly isVerified: boolean
}

/** Brings the scores of another game in. Only the admin command has it. */
export class SqlImport extends Context.Service<
  SqlImport,
  {
    /** What `apply` would do, in the order of the scores. Changes and locks nothing. */
    plan(scores: ReadonlyArray<ImportedScore>): Effect.Effect<ReadonlyArray<ImportOutcome>, SqlFailure>

    /**
     * Sets the scores in short transactions and adds a history row for each. Idempotent for ever: a score of a player is
     * set once, however often and by however many processes at the same time. No player may occur twice. Waits up to a
     * minute for rows that others lock. After a failure some scores are set and some are not: repeat it.
     */
    apply(
      scores: ReadonlyArray<ImportedScore>,
      rules: ImportRules,
    ): Effect.Effect<ReadonlyArray<ImportOutcome>, SqlFailure>
  }
>()("scoreboard/services/SqlImport") {}
