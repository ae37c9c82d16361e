import {
  GetQueueAttributesCommand,
  type MessageAttributeValue,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs"
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { encodeIncrement } from "../../../../src/domain/Messages.ts"
import { UserId } from "../../../../src/domain/Score.ts"
import { type SqsQueue, startSqsServer, type SqsServer } from "../../../support/engines/SqsServer.ts"
import { runAdmin } from "./adminFixtures.ts"

class Engine extends Context.Service<Engine, SqsServer>()("test/DeadLetterCommandsEngine") {
  static readonly layer = Layer.effect(Engine, startSqsServer())
}

const ours = (name: string) => encodeIncrement({ userId: UserId.make(name), email: `${name}@example.com` })

const Message = Schema.Struct({
  id: Schema.String,
  kind: Schema.String,
  sentAt: Schema.String,
  receives: Schema.Int,
  bytes: Schema.Int,
  body: Schema.optionalKey(Schema.String),
  outcome: Schema.optionalKey(Schema.String),
})
const decodeList = Schema.decodeUnknownSync(
  Schema.fromJsonString(
    Schema.Struct({ queue: Schema.String, held: Schema.Int, messages: Schema.Array(Message) }),
  ),
)
const decodeRedrive = Schema.decodeUnknownSync(
  Schema.fromJsonString(
    Schema.Struct({
      queue: Schema.String,
      redriven: Schema.Int,
      copied: Schema.Int,
      refused: Schema.Int,
      left: Schema.Int,
      messages: Schema.Array(Message),
    }),
  ),
)

/** A queue with a dead-letter queue, and what speaks to both. */
const setup = Effect.gen(function* () {
  const queue: SqsQueue = yield* (yield* Engine).createQueue()
  const client = yield* Effect.acquireRelease(
    Effect.sync(
      () =>
        new SQSClient({
          region: queue.env.AWS_REGION,
          endpoint: queue.endpoint,
          credentials: { accessKeyId: "local", secretAccessKey: "local" },
        }),
    ),
    (opened) => Effect.sync(() => opened.destroy()),
  )
  const put = (body: string, attributes: Record<string, MessageAttributeValue> = {}) =>
    Effect.promise(() =>
      client.send(
        new SendMessageCommand({
          QueueUrl: queue.deadLetterUrl,
          MessageBody: body,
          MessageAttributes: attributes,
        }),
      ),
    )
  const bodiesIn = (QueueUrl: string) =>
    Effect.promise(async () => {
      const received = await client.send(
        new ReceiveMessageCommand({
          QueueUrl,
          MaxNumberOfMessages: 10,
          VisibilityTimeout: 0,
          MessageAttributeNames: ["All"],
        }),
      )
      return received.Messages ?? []
    })
  /** How many messages are in the dead-letter queue, and how many of them are hidden. */
  const waiting = Effect.promise(async () => {
    const { Attributes = {} } = await client.send(
      new GetQueueAttributesCommand({ QueueUrl: queue.deadLetterUrl, AttributeNames: ["All"] }),
    )
    return [Attributes.ApproximateNumberOfMessages, Attributes.ApproximateNumberOfMessagesNotVisible].map(
      Number,
    )
  })
  return { queue, put, bodiesIn, waiting }
})

layer(Engine.layer, { timeout: "60 seconds", excludeTestServices: true })("admin dead-letters", (it) => {
  it.effect("list shows what is in the queue that the redrive policy names, and leaves it visible", () =>
    Effect.gen(function* () {
      const { put, queue, waiting } = yield* setup
      const empty = yield* runAdmin(["dead-letters", "list"], { env: queue.env })
      assert.deepStrictEqual(empty, { code: 0, out: "dead letters: about 0, listed: 0\n", err: "" })
      for (let n = 0; n < 11; n++) yield* put(ours(`player${n}`))
      yield* put("garbage")
      yield* put('{"type":"mail.sent","to":"someone@example.com"}')

      const listed = yield* runAdmin(["dead-letters", "list", "--json", "--limit", "20"], { env: queue.env })
      assert.strictEqual(listed.code, 0, listed.err)
      const { held, messages, queue: url } = decodeList(listed.out)
      assert.strictEqual(url, queue.deadLetterUrl)
      assert.strictEqual(held, 13)
      assert.deepStrictEqual(messages.map(({ kind }) => kind).toSorted(), [
        ...Array.from({ length: 11 }, () => "increment"),
        "malformed",
        "other",
      ])
      assert.notInclude(listed.out, "example.com")
      assert.deepStrictEqual(yield* waiting, [13, 0])

      const text = yield* runAdmin(["dead-letters", "list", "--limit", "1", "--bodies"], { env: queue.env })
      assert.match(
        text.out,
        /^\S+  \w+, sent \S+Z, received \d+ times, \d+ bytes\n  "[^\n]*"\ndead letters: about 13, listed: 1\n$/,
      )
      assert.deepStrictEqual(yield* waiting, [13, 0])
    }),
  )

  it.effect("redrive sends ours to the queue, deletes them here, and shows and leaves the others", () =>
    Effect.gen(function* () {
      const { bodiesIn, put, queue, waiting } = yield* setup
      yield* put(ours("ada"), { traceparent: { DataType: "String", StringValue: "00-a-b-01" } })
      yield* put(ours("bob"))
      yield* put("garbage")
      const redriven = yield* runAdmin(["dead-letters", "redrive", "--json"], { env: queue.env })
      assert.strictEqual(redriven.code, 0, redriven.err)
      const { messages, ...counts } = decodeRedrive(redriven.out)
      assert.deepStrictEqual(counts, {
        queue: queue.deadLetterUrl,
        redriven: 2,
        copied: 0,
        refused: 0,
        left: 1,
      })
      assert.deepStrictEqual(messages.map(({ kind, outcome }) => `${kind} ${outcome}`).toSorted(), [
        "increment redriven",
        "increment redriven",
        "malformed left",
      ])
      const arrived = yield* bodiesIn(queue.queueUrl)
      assert.deepStrictEqual(
        arrived.map(({ Body }) => String(Body)).toSorted(),
        [ours("ada"), ours("bob")].toSorted(),
      )
      assert.include(
        arrived.map(({ MessageAttributes }) => MessageAttributes?.traceparent?.StringValue),
        "00-a-b-01",
      )
      assert.deepStrictEqual(yield* waiting, [1, 0])

      const again = yield* runAdmin(["dead-letters", "redrive"], { env: queue.env })
      assert.strictEqual(again.code, 0)
      assert.match(
        again.out,
        /^left     \S+  malformed, [^\n]*\nredriven: 0, copied: 0, refused: 0, left: 1\n$/,
      )
    }),
  )

  it.effect("redrive looks at no more messages than it may, and loses none when it is interrupted", () =>
    Effect.gen(function* () {
      const { put, queue, waiting } = yield* setup
      for (let n = 0; n < 25; n++) yield* put(ours(`player${n}`))
      const few = yield* runAdmin(["dead-letters", "redrive", "--limit", "4"], { env: queue.env })
      assert.match(few.out, /\nredriven: 4, copied: 0, refused: 0, left: 0\n$/)
      assert.deepStrictEqual(yield* waiting, [21, 0])

      // The signal comes while the first batch is told.
      const cut = yield* runAdmin(["dead-letters", "redrive"], {
        env: queue.env,
        onOutput: (_, kill) => kill("SIGINT"),
      })
      assert.include([0, 130], cut.code)
      const rest = yield* runAdmin(["dead-letters", "redrive"], { env: queue.env })
      assert.strictEqual(rest.code, 0, rest.err)
      assert.deepStrictEqual(yield* waiting, [0, 0])
      const moved = [cut, rest].flatMap(({ out }) => out.match(/^redriven +\S+/gm) ?? [])
      assert.strictEqual(new Set(moved).size, 21)
    }),
  )

  it.effect("take the queue that the variable names, and say in one line what is missing", () =>
    Effect.gen(function* () {
      const { put, queue } = yield* setup
      yield* put("garbage")
      const unset = yield* runAdmin(["dead-letters", "list"])
      assert.deepStrictEqual(unset, {
        code: 3,
        out: "",
        err: "Configuration: SQS_QUEUE_URL is not set; AWS_REGION is not set\n",
      })
      const env = { ...queue.env, SQS_QUEUE_URL: queue.deadLetterUrl }
      const none = yield* runAdmin(["dead-letters", "list"], { env })
      assert.strictEqual(none.code, 3)
      assert.match(none.err, /^[^\n]*no redrive policy; SQS_DEAD_LETTER_QUEUE_URL[^\n]*\n$/)
      const named = yield* runAdmin(["dead-letters", "list"], {
        env: { ...env, SQS_DEAD_LETTER_QUEUE_URL: queue.deadLetterUrl },
      })
      assert.match(named.out, /listed: 1\n$/)
    }),
  )
})
