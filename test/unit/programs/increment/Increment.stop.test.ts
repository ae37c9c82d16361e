import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { caller, outcome, withSql } from "./fixtures.ts"

it.effect("answers every request that waits when the process stops: committed, or refused", () =>
  Effect.gen(function* () {
    let committed = 0
    const fibers = yield* withSql(
      (batch) =>
        Effect.sync(() => {
          committed += batch.length
          return batch.map((_, n) => outcome("Counted", n + 1))
        }).pipe(Effect.delay(100)),
      (increment) =>
        Effect.gen(function* () {
          const answers = yield* Effect.forEach(
            Array.from({ length: 500 }, (_, n) => n),
            (n) => Effect.forkDetach(Effect.exit(increment.raise(caller(`player ${n}`), undefined))),
          )
          yield* TestClock.adjust("10 millis")
          return answers
        }),
    ).pipe(
      Effect.forkChild({ startImmediately: true }),
      Effect.tap(TestClock.adjust("1 second")),
      Effect.flatMap(Fiber.join),
    )
    const exits = yield* Effect.forEach(fibers, (fiber) =>
      Effect.timeoutOption(Fiber.join(fiber), "1 second").pipe(Effect.forkChild),
    )
    yield* TestClock.adjust("2 seconds")
    const answers = yield* Effect.forEach(exits, (fiber) => Fiber.join(fiber))
    assert.strictEqual(answers.filter((answer) => answer._tag === "Some").length, 500)
    const succeeded = answers.filter(
      (answer) => answer._tag === "Some" && answer.value._tag === "Success",
    ).length
    assert.strictEqual(succeeded, committed)
  }),
)
