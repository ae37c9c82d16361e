import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { measureHop } from "../../../../src/programs/observe/Freshness.ts"
import { hopDuring } from "./fixtures.ts"

describe("measureHop", () => {
  it.effect("counts each beginning by its distance from now", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(10_000)
      const added = yield* hopDuring("commit-queue", measureHop("commit-queue", 9_000, 9_750))
      assert.deepStrictEqual(added, { count: 2, millis: 1250 })
    }),
  )

  it.effect("counts what another machine's clock has yet to see as 0", () =>
    Effect.gen(function* () {
      const added = yield* hopDuring("redis-hub", measureHop("redis-hub", 5_000))
      assert.deepStrictEqual(added, { count: 1, millis: 0 })
    }),
  )
})
