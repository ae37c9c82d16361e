import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { Sqs } from "../../../../src/services/Sqs/Sqs.ts"
import * as SqsQueue from "../../../../src/services/Sqs/SqsQueue.ts"
import { drain, sqsContract } from "../../../contracts/Sqs.ts"
import { startSqsServer } from "../../../support/engines/SqsServer.ts"
import type { SqsServer } from "../../../support/engines/SqsServer.ts"
import { credentials, failures, onQueue } from "./fixtures.ts"
import { timedRunning } from "../../../support/stalls.ts"

const visibility = Duration.seconds(1)
const maxReceiveCount = 3
const waitSeconds = 2

class Engine extends Context.Service<Engine, SqsServer>()("test/integration/services/Sqs/Engine") {
  static readonly layer = Layer.effect(Engine, startSqsServer()).pipe(Layer.provideMerge(credentials))
}

const shortWait = SqsQueue.layerWith({ waitSeconds })

sqsContract("SqsQueue.layer", {
  queue: Layer.unwrap(
    Effect.gen(function* () {
      const engine = yield* Engine
      const queue = yield* engine.createQueue({
        visibilitySeconds: Duration.toSeconds(visibility),
        maxReceiveCount,
      })
      return onQueue(queue.env, shortWait)
    }),
  ),
  engine: Engine.layer,
  visibility,
  wait: Duration.seconds(waitSeconds),
  maxReceiveCount,
  concurrent: true,
})

layer(Engine.layer, { excludeTestServices: true })("SqsQueue.layer on its engine", (it) => {
  it.effect("ends a 20 second poll within 200 ms of its interruption", () =>
    Effect.gen(function* () {
      const { env } = yield* Engine
      yield* Effect.gen(function* () {
        const sqs = yield* Sqs
        const receiving = yield* Effect.forkChild(sqs.receive)
        yield* Effect.sleep("500 millis")
        assert.isUndefined(receiving.pollUnsafe())
        const [elapsed] = yield* timedRunning(Fiber.interrupt(receiving))
        assert.isBelow(elapsed, 200)
      }).pipe(Effect.provide(onQueue(env)))
    }),
  )

  it.effect("answers while six 20 second polls are held", () =>
    Effect.gen(function* () {
      const { env } = yield* Engine
      yield* Effect.gen(function* () {
        const sqs = yield* Sqs
        const polls = yield* Effect.forEach([1, 2, 3, 4, 5, 6], () => Effect.forkChild(sqs.receive))
        yield* Effect.sleep("300 millis")
        // Not sends: a message would end a poll.
        const checks = Array.from({ length: 20 }, () => sqs.check)
        const [elapsed] = yield* timedRunning(Effect.all(checks, { concurrency: 20 }))
        assert.isBelow(elapsed, 2_000)
        assert.isTrue(polls.every((poll) => poll.pollUnsafe() === undefined))
        yield* Fiber.interruptAll(polls)
      }).pipe(Effect.provide(onQueue(env)))
    }),
  )

  it.effect("leaves what was received too often in the dead-letter queue", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const queue = yield* engine.createQueue({ visibilitySeconds: 1, maxReceiveCount: 1 })
      yield* Effect.gen(function* () {
        const sqs = yield* Sqs
        yield* sqs.send([{ body: "poison", attributes: { eventId: "7" } }])
        assert.strictEqual((yield* sqs.receive).length, 1)
        assert.deepStrictEqual(yield* sqs.receive, [])
      }).pipe(Effect.provide(onQueue(queue.env, shortWait)))
      const dead = yield* drain(1).pipe(
        Effect.provide(onQueue({ ...queue.env, SQS_QUEUE_URL: queue.deadLetterUrl }, shortWait)),
      )
      assert.deepStrictEqual(
        dead.map(({ body, attributes }) => ({ body, attributes })),
        [{ body: "poison", attributes: { eventId: "7" } }],
      )
    }),
  )

  it.effect("gives the index of a message that SQS refuses and sends the rest", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const { env } = yield* engine.createQueue()
      yield* Effect.gen(function* () {
        const sqs = yield* Sqs
        const unaccepted = yield* sqs.send(
          ["first", "forbidden \u0001 character", "third"].map((body) => ({ body, attributes: {} })),
        )
        assert.deepStrictEqual(unaccepted, [1])
        assert.deepStrictEqual((yield* drain(2)).map(({ body }) => body).toSorted(), ["first", "third"])
      }).pipe(Effect.provide(onQueue(env, shortWait)))
    }),
  )

  it.effect("fails every operation on a queue that does not exist", () =>
    Effect.gen(function* () {
      const { env, queueUrl } = yield* Engine
      yield* Effect.gen(function* () {
        for (const failure of yield* failures) {
          assert.strictEqual(failure._tag, "SqsFailure")
          assert.include(String(failure.cause), "QueueDoesNotExist")
        }
      }).pipe(Effect.provide(onQueue({ ...env, SQS_QUEUE_URL: `${queueUrl}-of-nobody` })))
    }),
  )
})
