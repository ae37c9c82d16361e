import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** Time that only goes forward: changing the wall clock must not expire every deadline, or none. Milliseconds. */
export const monotonicMillis: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) =>
  Number(nanos / 1_000_000n),
)

/** The same in microseconds. */
export const monotonicMicros: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) =>
  Number(nanos / 1_000n),
)
