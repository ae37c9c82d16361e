import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { Board } from "../../../../src/programs/board/Board.ts"
import { Refresher } from "../../../../src/programs/board/Refresher.ts"
import { RedisFailure } from "../../../../src/services/Redis/Redis.ts"

const away = new RedisFailure({ operation: "writeBoard", cause: new Error("away") })

/** A refresher whose refreshes take 100 ms each; `state.started` counts them. */
const withRefreshes = <A, E>(
  test: (
    refresher: Refresher["Service"],
    state: { started: number; fail: boolean; die: boolean },
  ) => Effect.Effect<A, E>,
) => {
  const state = { started: 0, fail: false, die: false }
  const board = Layer.mock(Board)({
    refresh: Effect.suspend(() => {
      state.started++
      return Effect.andThen(
        Effect.sleep("100 millis"),
        Effect.suspend(() =>
          state.die
            ? Effect.die("a defect")
            : state.fail
              ? Effect.fail(away)
              : Effect.succeed("written" as const),
        ),
      )
    }),
  })
  return Effect.flatMap(Refresher, (refresher) => test(refresher, state)).pipe(
    Effect.provide(Refresher.layer.pipe(Layer.provide(board))),
  )
}

describe("Refresher", () => {
  it.effect(
    "serves all that is asked for during a refresh with the next one, never with the one under way",
    () =>
      withRefreshes((refresher, state) =>
        Effect.gen(function* () {
          yield* TestClock.adjust("500 millis")
          const before = state.started
          const first = yield* Effect.forkChild(refresher.refresh(1))
          yield* TestClock.adjust("50 millis")
          const others = yield* Effect.forEach([1, 2, 3, 4], () => Effect.forkChild(refresher.refresh(1)))
          yield* TestClock.adjust("60 millis")
          assert.isDefined(first.pollUnsafe())
          assert.isTrue(others.every((fiber) => fiber.pollUnsafe() === undefined))
          yield* TestClock.adjust("120 millis")
          yield* Effect.forEach(others, Fiber.join)
          assert.strictEqual(state.started - before, 2)
        }),
      ),
  )

  it.effect("fails those who waited for a refresh that failed, and serves the next", () =>
    withRefreshes((refresher, state) =>
      Effect.gen(function* () {
        yield* TestClock.adjust("500 millis")
        state.fail = true
        const failed = yield* Effect.forkChild(Effect.flip(refresher.refresh(1)))
        yield* TestClock.adjust("100 millis")
        assert.strictEqual((yield* Fiber.join(failed))._tag, "RedisFailure")
        state.fail = false
        const next = yield* Effect.forkChild(refresher.refresh(1))
        yield* TestClock.adjust("120 millis")
        yield* Fiber.join(next)
      }),
    ),
  )

  it.effect("begins at once after a quiet moment, and 20 ms after a refresh at the earliest", () =>
    withRefreshes((refresher, state) =>
      Effect.gen(function* () {
        yield* TestClock.adjust("500 millis")
        const before = state.started
        yield* Effect.forkChild(refresher.refresh(1))
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(state.started - before, 1)
        yield* Effect.forkChild(refresher.refresh(1))
        yield* TestClock.adjust("118 millis")
        assert.strictEqual(state.started - before, 1)
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(state.started - before, 2)
      }),
    ),
  )

  it.effect("makes one board per lone message, and at most 50 a second when messages come quickly", () => {
    let refreshes = 0
    const board = Layer.mock(Board)({ refresh: Effect.sync(() => (refreshes++, "written" as const)) })
    return Effect.gen(function* () {
      const refresher = yield* Refresher
      yield* TestClock.adjust("100 millis")
      const lone = refreshes
      for (let n = 1; n <= 10; n++) {
        yield* Effect.forkChild(refresher.refresh(1))
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(refreshes, lone + n)
        yield* TestClock.adjust("39 millis")
      }
      const before = refreshes
      for (let n = 0; n < 1000; n++) {
        yield* Effect.forkChild(refresher.refresh(1))
        yield* TestClock.adjust("1 millis")
      }
      // A tenth more: at the start the rate is not known yet.
      assert.isAtMost(refreshes - before, 55)
    }).pipe(Effect.provide(Refresher.layer.pipe(Layer.provide(board))))
  })

  it.effect("refreshes by itself about every second, also after failures", () =>
    withRefreshes((_, state) =>
      Effect.gen(function* () {
        state.fail = true
        yield* TestClock.adjust("10 seconds")
        assert.isAtLeast(state.started, 9)
      }),
    ),
  )

  it.effect("goes on by itself after a defect", () =>
    withRefreshes((_, state) =>
      Effect.gen(function* () {
        state.die = true
        yield* TestClock.adjust("10 seconds")
        const before = state.started
        assert.isAtLeast(before, 4)
        state.die = false
        yield* TestClock.adjust("10 seconds")
        assert.isAtLeast(state.started - before, 8)
      }),
    ),
  )
})
