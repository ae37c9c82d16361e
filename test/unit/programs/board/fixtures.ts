import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { encodeIncrement } from "../../../../src/domain/Messages.ts"
import { UserId } from "../../../../src/domain/Score.ts"
import { Refresher, type RefreshFailure } from "../../../../src/programs/board/Refresher.ts"
import { Worker } from "../../../../src/programs/board/Worker.ts"
import { type ReceivedMessage, Sqs } from "../../../../src/services/Sqs/Sqs.ts"

export const message = (id: string, body: string): ReceivedMessage => ({
  id,
  receipt: `receipt ${id}`,
  body,
  attributes: {},
  receiveCount: 1,
})
export const increment = (id: string) =>
  message(id, encodeIncrement({ userId: UserId.make("ada"), email: "ada@example.com" }))

/** A few turns without time: what a fiber hands to another one is taken in the next. */
export const settle = Effect.repeat(TestClock.adjust(0), { times: 4 })

/** A worker on a queue that gives `batch` once; what it did, in order. */
export const run = Effect.fnUntraced(function* (
  batch: ReadonlyArray<ReceivedMessage>,
  refresh: Effect.Effect<void, RefreshFailure>,
) {
  const log: Array<string> = []
  let given = false
  const scope = yield* Scope.make()
  const services = Layer.mergeAll(
    Layer.mock(Sqs)({
      receive: Effect.suspend(() => {
        if (given) return Effect.never
        given = true
        return Effect.succeed(batch)
      }),
      delete: (receipts) => Effect.sync(() => (log.push(`delete ${receipts.join(", ")}`), [])),
    }),
    Layer.succeed(
      Refresher,
      Refresher.of({
        refresh: () =>
          Effect.tap(
            Effect.suspend(() => (log.push("refresh"), refresh)),
            () => Effect.sync(() => log.push("refreshed")),
          ),
      }),
    ),
  )
  yield* Layer.buildWithScope(Worker.pipe(Layer.provide(services)), scope)
  yield* settle
  return { log, stop: Scope.close(scope, Exit.void) }
})
