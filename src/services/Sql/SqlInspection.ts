import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Board } from "../../domain/Score.ts"
import type { SqlFailure } from "./Sql.ts"

/**
 * One check of the stored data. `history`: each score is the sum of its history, whose increments are 1, 2, 3 … .
 * `keys`: no idempotency key counted twice while it was remembered, and each key, also of an operator, names its event. `players`:
 * each score has a player. `ranks`: what ranks are read from is what a count gives.
 */
export interface DataCheck {
  readonly check: "history" | "keys" | "players" | "ranks"
  /** How far it looked: rows by what they are. */
  readonly looked: Readonly<Record<string, number>>
  readonly differences: number
  /** The difference with the lowest player or score. No address is in it. Undefined if there is none. */
  readonly first: Readonly<Record<string, string | number | null>> | undefined
}

/** The moment that all checks looked at. */
export interface Snapshot {
  readonly database: string
  /** ISO 8601, UTC, to the millisecond. */
  readonly at: string
}

/** Commits whose messages are still to be sent, as `SqlInspection.outbox` lists them. */
export interface OutboxReport {
  /** All commits in the table. */
  readonly total: number
  /** The oldest of them, at most as many as asked for. */
  readonly commits: ReadonlyArray<{
    readonly id: string
    /** ISO 8601, UTC, to the millisecond. */
    readonly at: string
    readonly ageSeconds: number
    /** When any process may send it; the past = now. */
    readonly due: string
    /** Whether a sweep has taken it at least once. How often is not recorded. */
    readonly swept: boolean
    readonly messages: ReadonlyArray<{ readonly id: string; readonly userId: string; readonly email: string }>
    /** How many messages it has, also if `messages` could not be read. */
    readonly size: number
  }>
}

/** What operators look at. Nothing here writes or locks, or has a time limit. */
export class SqlInspection extends Context.Service<
  SqlInspection,
  {
    /**
     * Makes every check, in the order of `DataCheck.check`, all in one snapshot, and gives each to `onCheck` when it is
     * done. PostgreSQL counts: here only one difference of each check is in memory, and there `work_mem` bounds it.
     */
    verify(onCheck: (check: DataCheck) => Effect.Effect<void>): Effect.Effect<Snapshot, SqlFailure>

    /** The board with its stamp, from one snapshot. */
    readonly board: Effect.Effect<Board, SqlFailure>

    /** The outbox, oldest commits first. */
    outbox(limit: number): Effect.Effect<OutboxReport, SqlFailure>
  }
>()("scoreboard/services/SqlInspection") {}
