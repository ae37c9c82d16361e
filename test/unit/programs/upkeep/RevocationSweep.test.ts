import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { RevocationSweep } from "../../../../src/programs/upkeep/RevocationSweep.ts"
import { SqlFailure } from "../../../../src/services/Sql/Sql.ts"
import { SqlUpkeep } from "../../../../src/services/Sql/SqlUpkeep.ts"

/** Runs the sweep on a table of so many expired rows; gives the sizes of the steps that were asked for. */
const sweep = (expired: { rows: number }, fails = 0) =>
  Effect.gen(function* () {
    const steps: Array<number> = []
    let failures = fails
    yield* Layer.build(
      RevocationSweep.pipe(
        Layer.provide(
          Layer.mock(SqlUpkeep)({
            pruneRevoked: (limit) =>
              Effect.suspend(() => {
                steps.push(limit)
                if (failures-- > 0) {
                  return Effect.fail(new SqlFailure({ operation: "pruneRevoked", cause: new Error("away") }))
                }
                const pruned = Math.min(limit, expired.rows)
                expired.rows -= pruned
                return Effect.succeed(pruned)
              }),
          }),
        ),
      ),
    )
    yield* TestClock.adjust("1 second")
    return steps
  })

describe("RevocationSweep", () => {
  it.effect("deletes all that expired, in bounded steps", () =>
    Effect.gen(function* () {
      const expired = { rows: 2500 }
      const steps = yield* sweep(expired)
      assert.strictEqual(expired.rows, 0)
      assert.strictEqual(steps.length, 3)
      for (const limit of steps) assert.isAtMost(limit, 1000)
    }),
  )

  it.effect("stops after a while and continues ten minutes later", () =>
    Effect.gen(function* () {
      const expired = { rows: 150_000 }
      const steps = yield* sweep(expired)
      assert.strictEqual(steps.length, 100)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(expired.rows, 0)
    }),
  )

  it.effect("continues after a failure", () =>
    Effect.gen(function* () {
      const expired = { rows: 10 }
      yield* sweep(expired, 1)
      assert.strictEqual(expired.rows, 10)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(expired.rows, 0)
    }),
  )
})
