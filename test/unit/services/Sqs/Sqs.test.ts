import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { Sqs } from "../../../../src/services/Sqs/Sqs.ts"
import * as SqsQueue from "../../../../src/services/Sqs/SqsQueue.ts"
import * as SqsMemory from "../../../../src/services/Sqs/SqsMemory.ts"
import type { OutgoingMessage } from "../../../../src/services/Sqs/Sqs.ts"
import { makeMemory } from "../../../../src/services/Sqs/SqsMemory.ts"
import { sqsContract } from "../../../contracts/Sqs.ts"

const visibility = Duration.millis(100)
const wait = Duration.millis(250)
const maxReceiveCount = 3

sqsContract("SqsMemory.layer", {
  queue: SqsMemory.layerWith({ wait, visibilityTimeout: visibility, maxReceiveCount }),
  engine: Layer.empty,
  visibility,
  wait,
  maxReceiveCount,
})

const messages = (count: number): ReadonlyArray<OutgoingMessage> =>
  Array.from({ length: count }, (_, index) => ({ body: `message ${index}`, attributes: {} }))

describe("SqsMemory.layer", () => {
  it.effect("waits 20 seconds for a first message", () =>
    Effect.gen(function* () {
      const sqs = yield* Sqs
      const receiving = yield* Effect.forkChild(sqs.receive)
      yield* TestClock.adjust("19 seconds")
      assert.isUndefined(receiving.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(receiving), [])
    }).pipe(Effect.provide(SqsMemory.layer)),
  )

  it.effect("hides a received message for 30 seconds from every receive", () =>
    Effect.gen(function* () {
      const sqs = yield* Sqs
      // This receive waits before there is a message, so it does not know when that one comes back.
      const waiting = yield* Effect.forkChild(
        Effect.repeat(sqs.receive, { until: (batch) => batch.length > 0 }),
      )
      yield* TestClock.adjust("1 second")
      yield* sqs.send(messages(1))
      assert.strictEqual((yield* Fiber.join(waiting)).length, 1)
      const second = yield* Effect.forkChild(
        Effect.repeat(sqs.receive, { until: (batch) => batch.length > 0 }),
      )
      yield* TestClock.adjust("29999 millis")
      assert.isUndefined(second.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(
        (yield* Fiber.join(second)).map(({ receiveCount }) => receiveCount),
        [2],
      )
    }).pipe(Effect.provide(SqsMemory.layer)),
  )

  it.effect("gives a message that another receive took meanwhile to a receive that still waits", () =>
    Effect.gen(function* () {
      const sqs = yield* Sqs
      const receives = yield* Effect.forEach([1, 2], () => Effect.forkChild(sqs.receive))
      yield* TestClock.adjust("1 second")
      yield* sqs.send(messages(1))
      yield* TestClock.adjust("0 millis")
      assert.strictEqual(receives.filter((fiber) => fiber.pollUnsafe() !== undefined).length, 1)
      yield* TestClock.adjust("2 seconds")
      const counts = (yield* Effect.forEach(receives, Fiber.join))
        .flat()
        .map(({ receiveCount }) => receiveCount)
      assert.deepStrictEqual(
        counts.toSorted((a, b) => a - b),
        [1, 2],
      )
    }).pipe(Effect.provide(SqsMemory.layerWith({ visibilityTimeout: "2 seconds" }))),
  )

  it.effect("deletes by the last receipt only, also after the visibility timeout", () =>
    Effect.gen(function* () {
      const sqs = yield* Sqs
      yield* sqs.send(messages(1))
      const [first] = yield* sqs.receive
      yield* TestClock.adjust("30 seconds")
      const [second] = yield* sqs.receive
      yield* sqs.delete([String(first?.receipt)])
      yield* TestClock.adjust("30 seconds")
      const [third] = yield* sqs.receive
      assert.deepStrictEqual([second?.receiveCount, third?.receiveCount], [2, 3])
      yield* TestClock.adjust("30 seconds")
      yield* sqs.delete([String(third?.receipt)])
      const receiving = yield* Effect.forkChild(sqs.receive)
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(yield* Fiber.join(receiving), [])
    }).pipe(Effect.provide(SqsMemory.layer)),
  )

  it.effect("does not accept what goes beyond its bound until there is room again", () =>
    Effect.gen(function* () {
      const sqs = yield* Sqs
      assert.deepStrictEqual(yield* sqs.send(messages(5)), [3, 4])
      const received = yield* sqs.receive
      assert.deepStrictEqual(yield* sqs.send(messages(1)), [0])
      yield* sqs.delete(received.slice(0, 1).map(({ receipt }) => receipt))
      assert.deepStrictEqual(yield* sqs.send(messages(2)), [1])
    }).pipe(Effect.provide(SqsMemory.layerWith({ maxMessages: 3 }))),
  )

  it.effect("keeps the newest dead letters after 5 receives, and makes room for new messages", () =>
    Effect.gen(function* () {
      const { service: sqs, deadLetters } = yield* makeMemory({ maxDeadLetters: 2, maxMessages: 3 })
      yield* sqs.send(messages(3))
      for (let count = 1; count <= 5; count++) {
        assert.strictEqual((yield* sqs.receive).length, 3)
        assert.deepStrictEqual(yield* deadLetters, [])
        yield* TestClock.adjust("30 seconds")
      }
      const receiving = yield* Effect.forkChild(sqs.receive)
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(yield* Fiber.join(receiving), [])
      assert.deepStrictEqual(yield* deadLetters, messages(3).slice(1))
      assert.deepStrictEqual(yield* sqs.send(messages(3)), [])
    }),
  )

  it.effect("gives 20,000 messages once each to four receivers", () =>
    Effect.gen(function* () {
      const sqs = yield* Sqs
      const seen = new Map<string, number>()
      const receiver = Effect.gen(function* () {
        while (seen.size < 20_000) {
          const batch = yield* sqs.receive
          for (const { body } of batch) seen.set(body, (seen.get(body) ?? 0) + 1)
          yield* sqs.delete(batch.map(({ receipt }) => receipt))
        }
      })
      const sender = Effect.forEach(messages(20_000), (message) => sqs.send([message]), { discard: true })
      yield* Effect.all([sender, Effect.raceAllFirst([receiver, receiver, receiver, receiver])], {
        concurrency: 2,
      })
      assert.strictEqual(seen.size, 20_000)
      assert.isTrue([...seen.values()].every((count) => count === 1))
    }).pipe(Effect.provide(SqsMemory.layer)),
  )
})

describe("SqsQueue.layer", () => {
  const sound = { SQS_QUEUE_URL: "http://127.0.0.1:9/000000000000/q", AWS_REGION: "eu-west-1" }
  const refusal = (env: Record<string, string>) =>
    Effect.flip(
      Effect.scoped(Layer.build(SqsQueue.layer)).pipe(
        Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(env))),
      ),
    ).pipe(Effect.map(String))

  it.effect("is built without SQS when its configuration is sound", () =>
    Effect.scoped(Layer.build(SqsQueue.layer)).pipe(
      Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(sound))),
    ),
  )

  it.effect.each([
    ["AWS_REGION", { SQS_QUEUE_URL: sound.SQS_QUEUE_URL }],
    ["SQS_QUEUE_URL", { AWS_REGION: sound.AWS_REGION }],
    ["SQS_QUEUE_URL", { ...sound, SQS_QUEUE_URL: "scoreboard" }],
    ["SQS_QUEUE_URL", { ...sound, SQS_QUEUE_URL: "localhost:4566/000000000000/q" }],
    ["AWS_ENDPOINT_URL_SQS", { ...sound, AWS_ENDPOINT_URL_SQS: "127.0.0.1:4566" }],
  ] as const)("names %s when it is missing or bad", ([name, env]) =>
    Effect.map(refusal(env), (message) => assert.include(message, name)),
  )
})
