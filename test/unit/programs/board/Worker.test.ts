import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { Refresher } from "../../../../src/programs/board/Refresher.ts"
import { Worker } from "../../../../src/programs/board/Worker.ts"
import { RedisFailure } from "../../../../src/services/Redis/Redis.ts"
import { Sqs } from "../../../../src/services/Sqs/Sqs.ts"
import { hopDuring } from "../observe/fixtures.ts"
import { increment, message, run, settle } from "./fixtures.ts"

describe("Worker", () => {
  it.effect("refreshes the board once per batch and deletes the batch after that", () =>
    Effect.gen(function* () {
      const { log, stop } = yield* run([increment("1"), increment("2")], Effect.void)
      assert.deepStrictEqual(log, ["refresh", "refreshed", "delete receipt 1, receipt 2"])
      yield* stop
    }),
  )

  it.effect("removes other types without a refresh, and leaves what has no type", () =>
    Effect.gen(function* () {
      const { log, stop } = yield* run(
        [
          message("other", JSON.stringify({ type: "score.reset" })),
          message("no json", "{"),
          message("no type", JSON.stringify({ userId: "ada" })),
          message("odd type", JSON.stringify({ type: 1 })),
          message("null", "null"),
        ],
        Effect.void,
      )
      assert.deepStrictEqual(log, ["delete receipt other"])
      yield* stop
    }),
  )

  it.effect("reads nothing but the type of a message", () =>
    Effect.gen(function* () {
      const { log, stop } = yield* run(
        [message("bare", JSON.stringify({ type: "score.increment" }))],
        Effect.void,
      )
      assert.deepStrictEqual(log, ["refresh", "refreshed", "delete receipt bare"])
      yield* stop
    }),
  )

  it.effect("measures messages from their commit, each only the first time it comes", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(5_000)
      const batch = [
        { ...increment("1"), attributes: { committedAt: "4000" } },
        { ...increment("2"), attributes: { committedAt: "1000" }, receiveCount: 2 },
        { ...increment("3"), attributes: { committedAt: "soon" } },
        increment("4"),
      ]
      const ran = Effect.flatMap(run(batch, Effect.sleep("20 millis")), ({ stop }) =>
        Effect.andThen(TestClock.adjust("20 millis"), stop),
      )
      const arrived = yield* hopDuring("commit-worker", hopDuring("worker-redis", ran))
      assert.deepStrictEqual(arrived, { count: 1, millis: 1000 })
    }),
  )

  it.effect("measures a batch until its board is in Redis", () =>
    Effect.gen(function* () {
      const ran = Effect.flatMap(run([increment("1")], Effect.sleep("20 millis")), ({ stop }) =>
        Effect.andThen(TestClock.adjust("20 millis"), stop),
      )
      assert.deepStrictEqual(yield* hopDuring("worker-redis", ran), { count: 1, millis: 20 })
    }),
  )

  it.effect("tries a failed refresh again, and leaves the batch on the queue when it goes on failing", () =>
    Effect.gen(function* () {
      const away = new RedisFailure({ operation: "writeBoard", cause: new Error("away") })
      const { log, stop } = yield* run([increment("1")], Effect.fail(away))
      yield* TestClock.adjust("60 seconds")
      assert.isAbove(log.length, 3)
      assert.deepStrictEqual([...new Set(log)], ["refresh"])
      yield* stop
    }),
  )

  it.effect("receives nothing more until a board can be shown again", () =>
    Effect.gen(function* () {
      let away = true
      let receives = 0
      const failure = new RedisFailure({ operation: "writeBoard", cause: new Error("away") })
      const services = Layer.mergeAll(
        Layer.mock(Sqs)({
          receive: Effect.suspend(() => {
            receives++
            return receives <= 40 ? Effect.succeed([increment(String(receives))]) : Effect.never
          }),
          delete: () => Effect.succeed([]),
        }),
        Layer.succeed(
          Refresher,
          Refresher.of({ refresh: () => Effect.suspend(() => (away ? Effect.fail(failure) : Effect.void)) }),
        ),
      )
      yield* Effect.gen(function* () {
        yield* settle
        yield* TestClock.adjust("10 minutes")
        const pollers = receives
        assert.isAtMost(pollers, 8)
        away = false
        yield* TestClock.adjust("2 seconds")
        yield* Effect.repeat(settle, { until: () => receives > 40, times: 100 })
        assert.isAbove(receives, 40)
      }).pipe(Effect.provide(Worker.pipe(Layer.provide(services))))
    }),
  )

  it.effect("receives alone until a batch is full, and then with helpers until one is not", () =>
    Effect.gen(function* () {
      let size = 1
      let receiving = 0
      let most = 0
      const services = Layer.mergeAll(
        Layer.mock(Sqs)({
          receive: Effect.suspend(() => {
            most = Math.max(most, ++receiving)
            return Effect.as(
              Effect.sleep("1 second"),
              Array.from({ length: size }, (_, n) => increment(String(n))),
            )
          }).pipe(Effect.ensuring(Effect.sync(() => receiving--))),
          delete: () => Effect.succeed([]),
        }),
        Layer.succeed(Refresher, Refresher.of({ refresh: () => Effect.void })),
      )
      yield* Effect.gen(function* () {
        const mostDuring = Effect.gen(function* () {
          yield* TestClock.adjust("5 seconds")
          most = 0
          yield* TestClock.adjust("5 seconds")
          return most
        })
        assert.strictEqual(yield* mostDuring, 1)
        size = 10
        assert.strictEqual(yield* mostDuring, 4)
        size = 9
        assert.strictEqual(yield* mostDuring, 1)
      }).pipe(Effect.provide(Worker.pipe(Layer.provide(services))))
    }),
  )

  it.effect("goes on receiving after a defect", () =>
    Effect.gen(function* () {
      let receives = 0
      const services = Layer.mergeAll(
        Layer.mock(Sqs)({
          receive: Effect.suspend(() => (receives++ < 20 ? Effect.die("a defect") : Effect.never)),
        }),
        Layer.succeed(Refresher, Refresher.of({ refresh: () => Effect.void })),
      )
      yield* Effect.andThen(
        TestClock.adjust("1 minute"),
        Effect.sync(() => assert.isAbove(receives, 20)),
      ).pipe(Effect.provide(Worker.pipe(Layer.provide(services))))
    }),
  )

  it.effect("finishes a batch it has received before it stops", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { log, stop } = yield* run([increment("1")], Deferred.await(gate))
      assert.deepStrictEqual(log, ["refresh"])
      yield* Effect.forkChild(stop)
      yield* Effect.yieldNow
      yield* Deferred.succeed(gate, undefined)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(log, ["refresh", "refreshed", "delete receipt 1"])
    }),
  )
})
