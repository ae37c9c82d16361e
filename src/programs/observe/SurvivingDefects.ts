import * as Effect from "effect/Effect"

/** Between a defect and the next turn: a defect that stays does not fill the log. */
const PAUSE = "1 second"

/**
 * One turn of a loop that must not end: a defect is an error in the log, with its cause, and the loop goes on after a
 * moment. Failures and interruption are the loop's own business and pass through.
 */
export const survivingDefects =
  (what: string) =>
  <A, E, R>(turn: Effect.Effect<A, E, R>): Effect.Effect<A | void, E, R> =>
    Effect.catchDefect(turn, (defect) =>
      Effect.andThen(Effect.logError(`${what} failed unexpectedly and goes on`, defect), Effect.sleep(PAUSE)),
    )
