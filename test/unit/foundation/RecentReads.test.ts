import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { makeRecentReads } from "../../../src/foundation/RecentReads.ts"

/** Reads that take 100 ms and give their number. The test decides whether they fail. */
const setup = () => {
  const source = { reads: 0, isAway: false }
  const recent = makeRecentReads({
    capacity: 2,
    freshMillis: 1_000,
    keyOf: (key: string) => key,
    read: () =>
      Effect.suspend(() => {
        const value = { number: ++source.reads }
        return Effect.andThen(
          Effect.sleep("100 millis"),
          source.isAway ? Effect.fail("away") : Effect.succeed(value),
        )
      }),
  })
  const ask = (key: string) =>
    Effect.gen(function* () {
      const asking = yield* Effect.forkChild(Effect.result(recent(key)), { startImmediately: true })
      yield* TestClock.adjust("100 millis")
      const result = yield* Fiber.join(asking)
      return result._tag === "Success" ? result.success.value.number : result.failure
    })
  return { source, recent, ask }
}

describe("RecentReads", () => {
  it.effect("give a value again until a second after its read began", () =>
    Effect.gen(function* () {
      const { ask } = setup()
      assert.strictEqual(yield* ask("a"), 1)
      yield* TestClock.adjust("800 millis")
      assert.strictEqual(yield* ask("a"), 1)
      assert.strictEqual(yield* ask("a"), 2)
    }),
  )

  it.effect("forget what was used least recently, and every failure", () =>
    Effect.gen(function* () {
      const { source, ask } = setup()
      source.isAway = true
      assert.strictEqual(yield* ask("a"), "away")
      source.isAway = false
      assert.deepStrictEqual([yield* ask("a"), yield* ask("b"), yield* ask("a")], [2, 3, 2])
      assert.deepStrictEqual([yield* ask("c"), yield* ask("a"), yield* ask("b")], [4, 2, 5])
    }),
  )

  it.effect("go on for the others when the first who asked leaves, and end when all have left", () =>
    Effect.gen(function* () {
      const { source, recent, ask } = setup()
      const start = Effect.forkChild(recent("a"), { startImmediately: true })
      const [first, second] = [yield* start, yield* start]
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust("100 millis")
      assert.deepStrictEqual(yield* Fiber.join(second), { value: { number: 1 }, isRemembered: false })

      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(yield* start)
      assert.strictEqual(source.reads, 2)
      assert.strictEqual(yield* ask("a"), 3)
    }),
  )
})
