import * as Effect from "effect/Effect"

/** The interval of a timer, in milliseconds. While the timer is late, the process does not run. */
const TICK_MILLIS = 20

/** A timer that is later than this, in milliseconds, is not just inaccurate. */
const LATE_MILLIS = 5

/**
 * Records when the timers of this process were late because the machine had other work, until the scope ends. A test
 * subtracts that time before it compares a duration with a limit. Computing in this process makes timers late as well, so
 * such a limit holds how long something waits, or another process takes; not what code under test computes here.
 */
export const watchStalls = Effect.gen(function* () {
  const stalls: Array<{ readonly from: number; readonly to: number }> = []
  let ticked = performance.now()
  const stalledUntil = (now: number) =>
    now - ticked > TICK_MILLIS + LATE_MILLIS ? [{ from: ticked + TICK_MILLIS, to: now }] : []
  const tick = () => {
    const now = performance.now()
    stalls.push(...stalledUntil(now))
    ticked = now
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => setInterval(tick, TICK_MILLIS)),
    (timer) => Effect.sync(() => clearInterval(timer)),
  )
  return {
    /** The time between two moments of `performance.now()` without the stalls in it, in ms. */
    running: (from: number, to: number) =>
      // What ends a stall may run before the timer does.
      [...stalls, ...stalledUntil(performance.now())].reduce(
        (left, stall) => left - Math.max(0, Math.min(to, stall.to) - Math.max(from, stall.from)),
        to - from,
      ),
    /** The longest so far, in ms. */
    longest: () => Math.max(0, ...stalls.map(({ from, to }) => to - from)),
  }
})

export type Stalls = Effect.Success<typeof watchStalls>

/** Like `Effect.timed`, but in milliseconds, without the time in which this process could not run. */
export const timedRunning = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const stalls = yield* watchStalls
      const from = performance.now()
      const value = yield* effect
      return [stalls.running(from, performance.now()), value] as const
    }),
  )
