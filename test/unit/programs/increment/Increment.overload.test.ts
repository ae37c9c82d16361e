import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { CAPACITY, offer, type Run } from "./simulated.ts"

/** Goodput of every second, from one on. */
const goodputFrom = ({ seconds }: Run, second: number) => seconds.slice(second).map(({ goodput }) => goodput)

/** Every second from `second` on has at least this goodput. */
const assertGoodput = (run: Run, second: number, least: number) => {
  const goodput = goodputFrom(run, second)
  assert.isTrue(
    goodput.every((each) => each >= least),
    `at least ${least} a second: ${run.seconds.map((each) => each.goodput).join(" ")}`,
  )
}

const quantile = (values: ReadonlyArray<number>, q: number) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * q)] ?? 0

/** The runs are long: real time passes in them too, though little of each second. */
const PATIENCE = 120_000

describe("Increment, offered more than the database can commit", () => {
  for (const times of [1.5, 3]) {
    it.effect(
      `commits at 80 % of its capacity or more at ${times} times the load, and refuses the rest at once`,
      () =>
        Effect.gen(function* () {
          const run = yield* offer({ ratePerSecond: times * CAPACITY, seconds: 20 })
          assertGoodput(run, 1, 0.8 * CAPACITY)
          assert.isAtMost(quantile(run.refusalMillis, 0.99), 100)
          assert.deepStrictEqual(
            [...run.retryAfterSeconds].toSorted((a, b) => a - b),
            [1, 2, 3],
          )
        }),
      PATIENCE,
    )
  }

  it.effect(
    "does the same when everybody who is refused asks again",
    () =>
      Effect.gen(function* () {
        const run = yield* offer({ ratePerSecond: 1.5 * CAPACITY, seconds: 20, retries: 3 })
        assertGoodput(run, 1, 0.8 * CAPACITY)
        assert.isAtMost(quantile(run.refusalMillis, 0.99), 100)
      }),
    PATIENCE,
  )

  for (const retries of [0, 3]) {
    it.effect(
      `is whole again within five seconds of a stall of four seconds, with ${retries} repeats each`,
      () =>
        Effect.gen(function* () {
          const load = 0.8 * CAPACITY
          const stall = { fromMillis: 5_000, forMillis: 4_000 }
          assertGoodput(yield* offer({ ratePerSecond: load, seconds: 22, stall, retries }), 14, 0.95 * load)
        }),
      PATIENCE,
    )
  }

  it.effect(
    "is whole again within five seconds of an outage of 30 seconds at 30 % of its capacity",
    () =>
      Effect.gen(function* () {
        const load = 0.3 * CAPACITY
        const stall = { fromMillis: 5_000, forMillis: 30_000 }
        const run = yield* offer({ ratePerSecond: load, seconds: 48, stall, retries: 3 })
        assertGoodput(run, 40, 0.95 * load)
      }),
    PATIENCE,
  )
})
