import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { UserId } from "../../../../src/domain/Score.ts"
import { Outbox } from "../../../../src/programs/increment/Outbox.ts"
import { Sql } from "../../../../src/services/Sql/Sql.ts"
import { Sqs, SqsFailure } from "../../../../src/services/Sqs/Sqs.ts"

/** When one call to an unresponsive queue fails. */
const CALL_LIMIT = Duration.seconds(3)

describe("Outbox with an unresponsive queue", () => {
  it.effect("leaves a backlog to the sweep after the first calls, so that it can stop in time", () =>
    Effect.gen(function* () {
      let calls = 0
      const deleted: Array<string> = []
      const services = Layer.mergeAll(
        Layer.mock(Sqs)({
          send: () =>
            Effect.suspend(() => {
              calls += 1
              const failure = new SqsFailure({ operation: "send", cause: new Error("no answer") })
              return Effect.delay(Effect.fail(failure), CALL_LIMIT)
            }),
        }),
        Layer.mock(Sql)({
          deleteOutbox: (ids) => Effect.sync(() => void deleted.push(...ids)),
          leaseOutbox: () => Effect.succeed([]),
        }),
      )
      const scope = yield* Scope.make()
      const outbox = yield* Layer.build(Outbox.layer.pipe(Layer.provide(services))).pipe(
        Scope.provide(scope),
        Effect.flatMap((context) => Effect.provideContext(Outbox, context)),
      )
      const events = Array.from({ length: 100 }, (_, n) => ({
        id: String(n),
        userId: UserId.make("ada"),
        email: "ada@example.com",
      }))
      for (let n = 0; n < 20; n++) outbox.offer({ outboxId: String(n), committedAt: 1, events })
      yield* TestClock.adjust("1 millis")
      const stopping = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* TestClock.adjust("10 seconds")
      assert.isDefined(stopping.pollUnsafe(), "stopped")
      yield* Fiber.join(stopping)
      assert.isAtMost(calls, 8)
      assert.deepStrictEqual(deleted, [])
    }),
  )
})
