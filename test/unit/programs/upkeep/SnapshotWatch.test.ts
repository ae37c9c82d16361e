import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as References from "effect/References"
import * as TestClock from "effect/testing/TestClock"
import { SnapshotWatch } from "../../../../src/programs/upkeep/SnapshotWatch.ts"
import { SqlFailure } from "../../../../src/services/Sql/Sql.ts"
import { type OldSnapshot, SqlUpkeep } from "../../../../src/services/Sql/SqlUpkeep.ts"

/** Runs the watch on a database whose oldest snapshot the test sets; gives its warnings. */
const watch = (database: { oldest: OldSnapshot | undefined; away: boolean }) => {
  const warnings: Array<string> = []
  const logger = Logger.make(({ message, fiber }) => {
    warnings.push(JSON.stringify([message, fiber.getRef(References.CurrentLogAnnotations)]))
  })
  const started = Layer.build(
    SnapshotWatch.pipe(
      Layer.provide(
        Layer.mock(SqlUpkeep)({
          oldestSnapshot: Effect.suspend(() =>
            database.away
              ? Effect.fail(new SqlFailure({ operation: "oldestSnapshot", cause: new Error("away") }))
              : Effect.succeed(database.oldest),
          ),
        }),
      ),
    ),
  ).pipe(Effect.provide(Logger.layer([logger])))
  return { warnings, started }
}

const gauge = Effect.map(Metric.snapshot, (all) => {
  const found = all.find(({ id }) => id === "postgres_oldest_snapshot_seconds")
  return found?.type === "Gauge" ? Number(found.state.value) : undefined
})

describe("SnapshotWatch", () => {
  it.effect("measures the oldest snapshot, and warns once of each that becomes five minutes old", () =>
    Effect.gen(function* () {
      const database = {
        oldest: { seconds: 299, pid: 7, name: "pg_dump" } as OldSnapshot | undefined,
        away: false,
      }
      const { started, warnings } = watch(database)
      yield* started
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* gauge, 299)
      assert.deepStrictEqual(warnings, [])
      for (const seconds of [314, 329, 344]) {
        database.oldest = { seconds, pid: 7, name: "pg_dump" }
        yield* TestClock.adjust("15 seconds")
      }
      assert.strictEqual(warnings.length, 1)
      assert.include(warnings[0], '"seconds":314,"pid":7,"name":"pg_dump"')
      // It ended, and another one had become old meanwhile.
      database.oldest = { seconds: 310, pid: 8, name: "psql" }
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(warnings.length, 2)
      assert.include(warnings[1], '"pid":8,"name":"psql"')
      database.oldest = undefined
      yield* TestClock.adjust("15 seconds")
      assert.strictEqual(yield* gauge, 0)
      database.oldest = { seconds: 400, pid: undefined, name: "prepared" }
      yield* TestClock.adjust("15 seconds")
      assert.strictEqual(warnings.length, 3)
    }),
  )

  it.effect("continues after a failure", () =>
    Effect.gen(function* () {
      const database = { oldest: { seconds: 10, pid: 7, name: "psql" }, away: true }
      const { started, warnings } = watch(database)
      yield* started
      yield* TestClock.adjust("1 second")
      assert.strictEqual(warnings.length, 1)
      database.away = false
      yield* TestClock.adjust("15 seconds")
      assert.strictEqual(yield* gauge, 10)
      assert.strictEqual(warnings.length, 1)
    }),
  )
})
