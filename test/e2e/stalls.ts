import * as Effect from "effect/Effect"

/** A timer this often, in milliseconds: what it comes late by, the process did not run. */
const TICK_MILLIS = 20

/** Later than this is not the timer's own inaccuracy. */
const LATE_MILLIS = 5

/**
 * Records when this process did not get to run, because the machine had other work, until the scope ends. A limit
 * on the time that something takes holds for the rest: on an idle machine that is all of it.
 */
export const watchStalls = Effect.gen(function* () {
  const stalls: Array<{ readonly from: number; readonly to: number }> = []
  let ticked = performance.now()
  const tick = () => {
    const now = performance.now()
    if (now - ticked > TICK_MILLIS + LATE_MILLIS) stalls.push({ from: ticked + TICK_MILLIS, to: now })
    ticked = now
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => setInterval(tick, TICK_MILLIS)),
    (timer) => Effect.sync(() => clearInterval(timer)),
  )
  return {
    /** From one moment of `performance.now()` to another, in ms, less the stalls between them. */
    running: (from: number, to: number) =>
      stalls.reduce(
        (left, stall) => left - Math.max(0, Math.min(to, stall.to) - Math.max(from, stall.from)),
        to - from,
      ),
    /** The longest so far, in ms. */
    longest: () => Math.max(0, ...stalls.map(({ from, to }) => to - from)),
  }
})
