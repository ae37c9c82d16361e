import { assert, layer } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import { Sqs, SQS_BATCH_SIZE } from "../../src/services/Sqs/Sqs.ts"
import type { OutgoingMessage, ReceivedMessage } from "../../src/services/Sqs/Sqs.ts"

export interface SqsContractOptions<E, R> {
  /** A queue of its own for each test: empty, with the times below. */
  readonly queue: Layer.Layer<Sqs, E, R>
  /** What the queues need, built once for all tests. */
  readonly engine: Layer.Layer<R, E>
  readonly visibility: Duration.Duration
  /** How long a receive waits: longer than the visibility timeout, so that one receive sees a message come back. */
  readonly wait: Duration.Duration
  readonly maxReceiveCount: number
  /** Whether the tests run at the same time, worth it where the times are long; one after the other when left out. */
  readonly concurrent?: boolean
}

const message = (body: string): OutgoingMessage => ({ body, attributes: { eventId: body } })

const bodies = (messages: ReadonlyArray<OutgoingMessage>) => messages.map(({ body }) => body).toSorted()

/** Receives and deletes until `count` messages are there; a receive may give fewer than the queue holds. */
export const drain = Effect.fnUntraced(function* (count: number) {
  const sqs = yield* Sqs
  const all: Array<ReceivedMessage> = []
  for (let receives = 0; all.length < count && receives < count + 5; receives++) {
    const batch = yield* sqs.receive
    assert.isAtMost(batch.length, SQS_BATCH_SIZE)
    assert.deepStrictEqual(yield* sqs.delete(batch.map(({ receipt }) => receipt)), [])
    all.push(...batch)
  }
  return all
})

/** What every implementation of `Sqs` does. Runs in real time. */
export const sqsContract = <E, R>(
  name: string,
  { concurrent = false, ...options }: SqsContractOptions<E, R>,
) =>
  layer(options.engine, { excludeTestServices: true, concurrent })(name, (it) => {
    const test = (title: string, run: Effect.Effect<void, unknown, Sqs>) =>
      it.effect(title, () => run.pipe(Effect.provide(options.queue)))

    test(
      "carries bodies and attributes unchanged",
      Effect.gen(function* () {
        const sqs = yield* Sqs
        const sent: ReadonlyArray<OutgoingMessage> = [
          { body: `{"email":"zoë@exämple.test","type":"score.increment"}`, attributes: {} },
          {
            body: " \t\r\n \"\\' <&> 漢字 é e\u0301 \uFFFD ",
            attributes: { "trace.parent": " 00-ab\n", b: "ß" },
          },
        ]
        assert.deepStrictEqual(yield* sqs.send(sent), [])
        const received = yield* drain(2)
        assert.deepStrictEqual(
          received
            .map(({ body, attributes }) => ({ body, attributes }))
            .toSorted((a, b) => (a.body < b.body ? 1 : -1)),
          sent,
        )
        assert.deepStrictEqual(
          received.map(({ receiveCount }) => receiveCount),
          [1, 1],
        )
      }),
    )

    test(
      "gives each of 25 messages once, at most 10 a receive",
      Effect.gen(function* () {
        const sqs = yield* Sqs
        const sent = Array.from({ length: 25 }, (_, index) => message(`message ${index}`))
        for (let from = 0; from < sent.length; from += SQS_BATCH_SIZE) {
          assert.deepStrictEqual(yield* sqs.send(sent.slice(from, from + SQS_BATCH_SIZE)), [])
        }
        const received = yield* drain(25)
        assert.deepStrictEqual(bodies(received), bodies(sent))
        assert.strictEqual(new Set(received.map(({ id }) => id)).size, 25)
      }),
    )

    test(
      "gives none when the wait is over",
      Effect.gen(function* () {
        const sqs = yield* Sqs
        const [elapsed, received] = yield* Effect.timed(sqs.receive)
        assert.deepStrictEqual(received, [])
        assert.isAtLeast(Duration.toMillis(elapsed), Duration.toMillis(options.wait) * 0.9)
      }),
    )

    test(
      "ends a waiting receive with the message that arrives",
      Effect.gen(function* () {
        const sqs = yield* Sqs
        const receiving = yield* Effect.forkChild(sqs.receive)
        yield* Effect.sleep(Duration.times(options.wait, 0.1))
        yield* sqs.send([message("awaited")])
        const [elapsed, received] = yield* Effect.timed(Fiber.join(receiving))
        assert.deepStrictEqual(bodies(received), ["awaited"])
        assert.isBelow(Duration.toMillis(elapsed), Duration.toMillis(options.wait) * 0.6)
      }),
    )

    test(
      "does not give a deleted message again, and takes a second delete",
      Effect.gen(function* () {
        const sqs = yield* Sqs
        yield* sqs.send([message("done")])
        const receipts = (yield* drain(1)).map(({ receipt }) => receipt)
        assert.strictEqual(receipts.length, 1)
        assert.deepStrictEqual(yield* sqs.delete(receipts), [])
        yield* Effect.sleep(options.visibility)
        assert.deepStrictEqual(yield* sqs.receive, [])
        assert.deepStrictEqual(yield* sqs.delete(receipts), [])
      }),
    )

    test(
      "hides a received message for the visibility timeout, then gives it again with a higher count",
      Effect.gen(function* () {
        const sqs = yield* Sqs
        yield* sqs.send([message("again")])
        const [first] = yield* sqs.receive
        const [elapsed, [second]] = yield* Effect.timed(sqs.receive)
        assert.isAtLeast(Duration.toMillis(elapsed), Duration.toMillis(options.visibility) * 0.8)
        assert.deepStrictEqual([first?.receiveCount, second?.receiveCount], [1, 2])
        assert.strictEqual(second?.id, first?.id)
        assert.deepStrictEqual(yield* sqs.delete([String(second?.receipt)]), [])
        assert.deepStrictEqual(yield* sqs.receive, [])
      }),
    )

    test(
      "gives a message no more often than the redrive policy allows, and goes on with the rest",
      Effect.gen(function* () {
        const sqs = yield* Sqs
        yield* sqs.send([message("poison")])
        for (let count = 1; count <= options.maxReceiveCount; count++) {
          assert.deepStrictEqual(
            (yield* sqs.receive).map(({ receiveCount }) => receiveCount),
            [count],
          )
        }
        assert.deepStrictEqual(yield* sqs.receive, [])
        yield* sqs.send([message("sound")])
        assert.deepStrictEqual(bodies(yield* drain(1)), ["sound"])
      }),
    )

    test(
      "loses nothing when a receive is interrupted",
      Effect.gen(function* () {
        const sqs = yield* Sqs
        const sent = ["a", "b", "c"].map(message)
        const receiving = yield* Effect.forkChild(sqs.receive)
        yield* Effect.sleep(Duration.times(options.wait, 0.05))
        yield* Effect.all([sqs.send(sent), Fiber.interrupt(receiving)], { concurrency: 2 })
        // The messages may have been quicker than the interruption: then they were given.
        const exit = yield* Fiber.await(receiving)
        const given = Exit.isSuccess(exit) ? bodies(exit.value) : []
        const expected = sent.filter(({ body }) => !given.includes(body))
        assert.deepStrictEqual(bodies(yield* drain(expected.length)), bodies(expected))
      }),
    )

    test(
      "makes no call for an empty batch, and dies of one that is too large",
      Effect.gen(function* () {
        const sqs = yield* Sqs
        assert.deepStrictEqual(yield* sqs.send([]), [])
        assert.deepStrictEqual(yield* sqs.delete([]), [])
        const eleven = Array.from({ length: 11 }, () => "x")
        assert.isTrue(Exit.hasDies(yield* Effect.exit(sqs.send(eleven.map(message)))))
        assert.isTrue(Exit.hasDies(yield* Effect.exit(sqs.delete(eleven))))
      }),
    )

    test(
      "answers a check",
      Effect.flatMap(Sqs, (sqs) => sqs.check),
    )
  })
