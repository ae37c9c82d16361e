import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { isRedisOutage } from "../../../../src/services/Redis/Redis.ts"
import { makeRedisPatience } from "../../../../src/services/Redis/RedisPatience.ts"

/** A command whose answer the test gives, and what the patience told about commands without a caller. */
const setup = Effect.gen(function* () {
  const told: Array<string> = []
  const sent: Array<{ readonly answer: () => void; readonly fail: () => void }> = []
  const patience = yield* makeRedisPatience({
    late: () => told.push("late"),
    answered: () => told.push("answered"),
    failed: () => told.push("failed"),
  })
  const call = patience.send("take", () => {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    sent.push({ answer: () => resolve("answer"), fail: () => reject(new Error("Command timed out")) })
    return promise
  })
  const start = Effect.forkChild(Effect.exit(call), { startImmediately: true })
  return { patience, told, sent, call, start }
})

/** Lets promises and fibers continue. */
const turn = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

describe("RedisPatience", () => {
  it.effect("releases all callers together, sends nothing more, and again after the answers", () =>
    Effect.gen(function* () {
      const { told, sent, call, start } = yield* setup
      const callers = yield* Effect.all(Array.from({ length: 5 }, () => start))
      yield* TestClock.adjust("19 millis")
      assert.deepStrictEqual(told, [])
      yield* TestClock.adjust("1 millis")
      for (const caller of callers) {
        const exit = yield* Fiber.join(caller)
        assert.isTrue(Exit.isFailure(exit))
      }
      const late = yield* Effect.flip(call)
      assert.isTrue(late.isLate)
      assert.isFalse(isRedisOutage(late))
      assert.strictEqual(sent.length, 5)
      assert.deepStrictEqual(told, ["late"])

      for (const one of sent) one.answer()
      yield* turn
      assert.deepStrictEqual(told, ["late", ...Array.from({ length: 5 }, () => "answered")])
      const next = yield* start
      sent.at(-1)?.answer()
      assert.deepStrictEqual(yield* Fiber.join(next), Exit.succeed("answer"))
      assert.strictEqual(sent.length, 6)
    }),
  )

  it.effect("tells of a late command that fails", () =>
    Effect.gen(function* () {
      const { told, sent, call } = yield* setup
      const caller = yield* Effect.forkChild(Effect.flip(call), { startImmediately: true })
      yield* TestClock.adjust("20 millis")
      assert.isTrue((yield* Fiber.join(caller)).isLate)
      sent[0]?.fail()
      yield* turn
      assert.deepStrictEqual(told, ["late", "failed"])
    }),
  )

  it.live("tells the failure of a command in time to its caller alone", () =>
    Effect.gen(function* () {
      const { told, sent, start } = yield* setup
      const caller = yield* start
      sent[0]?.fail()
      const exit = yield* Fiber.join(caller)
      assert.isTrue(Exit.isFailure(exit))
      assert.deepStrictEqual(told, [])
    }),
  )

  it.live("does not blame Redis for a stall of this process", () =>
    Effect.gen(function* () {
      const { told, sent, start } = yield* setup
      const caller = yield* start
      const { answer = () => undefined } = sent[0] ?? {}
      // The answer arrives during the stall, so it is read in the first turn of the event loop after it.
      setTimeout(answer, 50)
      const until = performance.now() + 100
      while (performance.now() < until);
      assert.deepStrictEqual(yield* Fiber.join(caller), Exit.succeed("answer"))
      assert.deepStrictEqual(told, [])
    }),
  )

  it.effect("waits longer for a Redis that is far away, but not for one that became slow", () =>
    Effect.gen(function* () {
      const { patience, sent, start } = yield* setup
      const answerAfter = (millis: number) =>
        Effect.gen(function* () {
          const caller = yield* start
          yield* TestClock.adjust(millis)
          sent.at(-1)?.answer()
          yield* turn
          return Exit.isSuccess(yield* Fiber.join(caller))
        })
      assert.isFalse(yield* answerAfter(60), "the first answer tells the distance")
      assert.isTrue(yield* answerAfter(60))
      assert.isTrue(yield* answerAfter(1))
      assert.isFalse(yield* answerAfter(60))
      patience.reset()
      assert.isFalse(yield* answerAfter(200))
      assert.isTrue(yield* answerAfter(100))
    }),
  )
})
