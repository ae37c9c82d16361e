import * as Effect from "effect/Effect"

/** Logs a failure as an error under `message` and fails with the error that the client sees instead. */
export const logAndFailWith =
  <Public>(message: string, publicError: Public) =>
  (failure: unknown): Effect.Effect<never, Public> =>
    Effect.andThen(Effect.logError(message, failure), Effect.fail(publicError))
