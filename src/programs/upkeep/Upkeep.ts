import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import { survivingDefects } from "../../foundation/SurvivingDefects.ts"

/** A table that is kept small: what is deleted from it, how often, and in what steps. */
export interface UpkeepOptions<E> {
  /** What is deleted, for the log: "old idempotency keys". */
  readonly what: string
  /** From the end of one turn to the begin of the next; the first turn begins at once. */
  readonly every: Schedule.Schedule<unknown>
  /** Rows of one statement, so that nobody who writes has to wait for long. */
  readonly rows: number
  /** Between two statements of a turn: time that is left to those who write. */
  readonly pause: Duration.Input
  /** The most statements of one turn; what is left then waits for the next turn. */
  readonly statements: number
  /** Deletes up to so many rows, and gives how many. */
  readonly run: (rows: number) => Effect.Effect<number, E>
}

/**
 * Deletes in turns until the scope closes. A turn ends with the first statement that deletes fewer rows than it may. A
 * turn that fails is a warning in the log, and the next one comes as usual.
 */
export const upkeep = <E>({ what, every, rows, pause, statements, run }: UpkeepOptions<E>) => {
  const turn = Effect.gen(function* () {
    for (let statement = 1; statement <= statements; statement++) {
      if (statement > 1) yield* Effect.sleep(pause)
      const deleted = yield* run(rows)
      if (deleted < rows) return
    }
  }).pipe(Effect.catch((error) => Effect.logWarning(`The upkeep could not delete ${what}`, error)))
  return Effect.forkScoped(Effect.repeat(survivingDefects(`The upkeep of ${what}`)(turn), every))
}
