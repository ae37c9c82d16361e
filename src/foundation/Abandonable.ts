import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"

/**
 * Runs a call whose interruption does not wait for the call to stop: cancelling a statement needs a second connection,
 * which an unresponsive server does not answer either. The call is interrupted in the background.
 */
export const abandonable = <A, E, R>(call: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Effect.forkDetach(call), (fiber) =>
    Effect.onInterrupt(Fiber.join(fiber), () => Effect.sync(() => fiber.interruptUnsafe())),
  )
