import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/**
 * Calls by key that may have to wait until `admit` lets them begin. Callers with the same key share a call that waits;
 * one that has begun is not shared, so nobody gets a result from before the own question.
 */
export const makeSharedWaits = <A, E, Refused>(
  admit: (call: Effect.Effect<A, E>) => Effect.Effect<A, E | Refused>,
) => {
  const waiting = new Map<string, Effect.Effect<A, E | Refused>>()

  return Effect.fnUntraced(function* (key: string, call: Effect.Effect<A, E>) {
    const shared = waiting.get(key)
    if (shared !== undefined) return yield* shared
    const forget = Effect.sync(() => {
      if (waiting.get(key) === own) waiting.delete(key)
    })
    const own: Effect.Effect<A, E | Refused> = yield* Effect.cachedWithTTL(
      Effect.ensuring(admit(Effect.andThen(forget, call)), forget),
      Duration.negativeInfinity,
    )
    waiting.set(key, own)
    return yield* own
  })
}
