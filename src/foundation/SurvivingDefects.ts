import * as Effect from "effect/Effect"

/** Between a defect and the next turn: a defect that stays does not fill the log. */
const PAUSE = "1 second"

/**
 * One turn of a loop that must not end: a defect is logged as an error with its cause, and the loop continues after a
 * moment. Failures and interruption pass through: they are for the loop itself.
 */
export const survivingDefects =
  (what: string) =>
  <A, E, R>(turn: Effect.Effect<A, E, R>): Effect.Effect<A | void, E, R> =>
    Effect.catchDefect(turn, (defect) =>
      Effect.andThen(
        Effect.logError(`${what} failed unexpectedly and continues`, defect),
        Effect.sleep(PAUSE),
      ),
    )
