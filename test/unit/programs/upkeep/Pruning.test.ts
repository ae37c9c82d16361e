import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { Pruning } from "../../../../src/programs/upkeep/Pruning.ts"
import { SqlFailure } from "../../../../src/services/Sql/Sql.ts"
import { SqlUpkeep } from "../../../../src/services/Sql/SqlUpkeep.ts"

/** Runs the pruning on so many old keys; the test can make PostgreSQL unavailable. */
const withKeys = (
  old: number,
  test: (world: { old: number; away: boolean; calls: number }) => Effect.Effect<void>,
) => {
  const world = { old, away: false, calls: 0 }
  const sql = Layer.mock(SqlUpkeep)({
    pruneKeys: (limit) =>
      Effect.suspend(() => {
        world.calls += 1
        if (world.away)
          return Effect.fail(new SqlFailure({ operation: "pruneKeys", cause: new Error("away") }))
        const rows = Math.min(limit, world.old)
        world.old -= rows
        return Effect.succeed(rows)
      }),
  })
  return Effect.provide(
    Effect.suspend(() => test(world)),
    Pruning.pipe(Layer.provide(sql)),
  )
}

describe("Pruning", () => {
  it.effect("deletes all old keys in small statements, and looks again every minute or so", () =>
    withKeys(2500, (world) =>
      Effect.gen(function* () {
        yield* TestClock.adjust("1 second")
        assert.strictEqual(world.old, 0)
        assert.strictEqual(world.calls, 3)
        world.old = 1
        yield* TestClock.adjust("2 minutes")
        assert.strictEqual(world.old, 0)
      }),
    ),
  )

  it.effect("continues after an outage", () =>
    withKeys(10, (world) =>
      Effect.gen(function* () {
        world.away = true
        world.old = 10
        yield* TestClock.adjust("3 minutes")
        assert.strictEqual(world.old, 10)
        world.away = false
        yield* TestClock.adjust("2 minutes")
        assert.strictEqual(world.old, 0)
      }),
    ),
  )
})
