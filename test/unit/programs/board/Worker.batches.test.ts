import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { Refresher } from "../../../../src/programs/board/Refresher.ts"
import { Worker } from "../../../../src/programs/board/Worker.ts"
import { Sqs, SqsFailure } from "../../../../src/services/Sqs/Sqs.ts"
import { increment, run, settle } from "./fixtures.ts"

describe("Worker: batches together", () => {
  it.effect("shows what comes during a refresh with one more, and deletes it in full calls", () =>
    Effect.gen(function* () {
      let refreshes = 0
      const deleted: Array<number> = []
      const batches = [1, 7, 8, 6].map((size, batch) =>
        Array.from({ length: size }, (_, n) => increment(`${batch}.${n}`)),
      )
      const services = Layer.mergeAll(
        Layer.mock(Sqs)({
          receive: Effect.suspend(() => {
            const batch = batches.shift()
            return batch === undefined ? Effect.never : Effect.succeed(batch)
          }),
          delete: (receipts) => Effect.sync(() => (deleted.push(receipts.length), [])),
        }),
        Layer.succeed(
          Refresher,
          Refresher.of({
            refresh: () => Effect.suspend(() => (refreshes++, Effect.sleep("1 second"))),
          }),
        ),
      )
      yield* Effect.gen(function* () {
        yield* settle
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(refreshes, 2)
        assert.deepStrictEqual(deleted, [1, 10, 10, 1])
      }).pipe(Effect.provide(Worker.pipe(Layer.provide(services))))
    }),
  )

  it.effect("deletes the rest when one call to delete fails", () =>
    Effect.gen(function* () {
      const deleted: Array<string> = []
      const full = Array.from({ length: 10 }, (_, n) => increment(`lost ${n}`))
      const batches = [[increment("0")], full, [increment("1")]]
      const services = Layer.mergeAll(
        Layer.mock(Sqs)({
          receive: Effect.suspend(() => {
            const batch = batches.shift()
            return batch === undefined ? Effect.never : Effect.succeed(batch)
          }),
          delete: (receipts) =>
            receipts[0] === "receipt lost 0"
              ? Effect.fail(new SqsFailure({ operation: "delete", cause: new Error("away") }))
              : Effect.sync(() => (deleted.push(...receipts), [])),
        }),
        Layer.succeed(Refresher, Refresher.of({ refresh: () => Effect.sleep("1 second") })),
      )
      yield* Effect.gen(function* () {
        yield* settle
        yield* TestClock.adjust("2 seconds")
        assert.deepStrictEqual(deleted, ["receipt 0", "receipt 1"])
      }).pipe(Effect.provide(Worker.pipe(Layer.provide(services))))
    }),
  )

  it.effect("gives up 20 s after a batch came, and goes on with what came since", () =>
    Effect.gen(function* () {
      const deleted: Array<string> = []
      let refreshes = 0
      const batches = [[increment("hung")], [increment("next")]]
      const services = Layer.mergeAll(
        Layer.mock(Sqs)({
          receive: Effect.suspend(() => {
            const batch = batches.shift()
            if (batch === undefined) return Effect.never
            return Effect.delay(Effect.succeed(batch), "10 seconds")
          }),
          delete: (receipts) => Effect.sync(() => (deleted.push(...receipts), [])),
        }),
        Layer.succeed(
          Refresher,
          Refresher.of({
            refresh: () => Effect.suspend(() => (refreshes++ === 0 ? Effect.never : Effect.void)),
          }),
        ),
      )
      yield* Effect.gen(function* () {
        yield* settle
        yield* TestClock.adjust("29 seconds")
        assert.deepStrictEqual(deleted, [])
        yield* TestClock.adjust("2 seconds")
        yield* settle
        assert.deepStrictEqual(deleted, ["receipt next"])
      }).pipe(Effect.provide(Worker.pipe(Layer.provide(services))))
    }),
  )

  it.effect("handles every batch that it has received before it stops", () =>
    Effect.gen(function* () {
      const deleted: Array<string> = []
      const batches = [[increment("1")], [increment("2")], [increment("3")]]
      const scope = yield* Scope.make()
      const services = Layer.mergeAll(
        Layer.mock(Sqs)({
          receive: Effect.suspend(() => {
            const batch = batches.shift()
            return batch === undefined ? Effect.never : Effect.succeed(batch)
          }),
          delete: (receipts) => Effect.sync(() => (deleted.push(...receipts), [])),
        }),
        Layer.succeed(Refresher, Refresher.of({ refresh: () => Effect.sleep("2 seconds") })),
      )
      yield* Layer.buildWithScope(Worker.pipe(Layer.provide(services)), scope)
      yield* settle
      const stopped = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* settle
      yield* TestClock.adjust("3900 millis")
      assert.isUndefined(stopped.pollUnsafe())
      yield* TestClock.adjust("200 millis")
      yield* settle
      assert.isDefined(stopped.pollUnsafe())
      assert.deepStrictEqual(deleted, ["receipt 1", "receipt 2", "receipt 3"])
    }),
  )

  it.effect("leaves what it has to be redelivered 5 s after it was told to stop", () =>
    Effect.gen(function* () {
      const { log, stop } = yield* run([increment("1")], Effect.never)
      const stopped = yield* Effect.forkChild(stop)
      yield* settle
      yield* TestClock.adjust("4900 millis")
      assert.isUndefined(stopped.pollUnsafe())
      yield* TestClock.adjust("200 millis")
      yield* settle
      assert.isDefined(stopped.pollUnsafe())
      assert.deepStrictEqual(log, ["refresh"])
    }),
  )
})
