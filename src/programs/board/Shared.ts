import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"

/**
 * One run for all callers that arrive while it runs; the next caller starts the next run. A caller that is
 * interrupted leaves the run to the others; the run ends with the scope.
 */
export const shared = <A, E>(
  effect: Effect.Effect<A, E>,
): Effect.Effect<Effect.Effect<A, E>, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => {
    let running: Fiber.Fiber<A, E> | undefined
    const run = Effect.onExit(effect, () =>
      Effect.sync(() => {
        running = undefined
      }),
    )
    return Effect.suspend(() => {
      if (running !== undefined) return Fiber.join(running)
      // Not at the scheduler's next turn: the question is on its way while others still join.
      return Effect.flatMap(Effect.forkIn(run, scope, { startImmediately: true }), (fiber) => {
        if (fiber.pollUnsafe() === undefined) running = fiber
        return Fiber.join(fiber)
      })
    })
  })
