import { parseArgs } from "node:util"
import {
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSClient,
} from "@aws-sdk/client-sqs"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { encodeIncrement } from "../src/domain/Messages.ts"
import { UserId } from "../src/domain/Score.ts"
import { Sqs } from "../src/services/Sqs/Sqs.ts"
import * as SqsQueue from "../src/services/Sqs/SqsQueue.ts"
import { spawn } from "../test/support/engines/ChildProcess.ts"
import { compare, type Figures, inTurns } from "./figures.ts"

/**
 * `node bench/sqs.ts [--rounds n] [--calls n]`: the processor time that a call of our `Sqs` service costs the process that
 * makes it, beside that of the bare SDK client with its default options, in turns, against a server that answers a constant.
 */
const { values } = parseArgs({
  options: { rounds: { type: "string", default: "7" }, calls: { type: "string", default: "1500" } },
})
const calls = Number(values.calls)

/** Calls made at the same time: as many as an outbox or a worker makes. */
const CONCURRENCY = 4

const attributes = { eventId: "12345", committedAt: "1795630423400" }
const body = encodeIncrement({
  userId: UserId.make("6f1b1d3e-0000-4000-8000-000000000000"),
  email: "player@example.com",
})
const ten = Array.from({ length: 10 }, (_, n) => n)
const receipts = ten.map((n) => String(n).repeat(360))

type Operations = Readonly<Record<"send" | "receive" | "delete", Effect.Effect<unknown, unknown>>>

const ours = Effect.fnUntraced(function* (env: Readonly<Record<string, string>>) {
  const sqs = Context.get(
    yield* Layer.build(
      SqsQueue.layer.pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(env)))),
    ),
    Sqs,
  )
  const operations: Operations = {
    send: Effect.suspend(() => sqs.send(ten.map(() => ({ body, attributes })))),
    receive: sqs.receive,
    delete: Effect.suspend(() => sqs.delete(receipts)),
  }
  return operations
})

/** With the options it has by default, but where to find the queue. */
const sdk = Effect.fnUntraced(function* (endpoint: string, QueueUrl: string) {
  const client = yield* Effect.acquireRelease(
    Effect.sync(() => new SQSClient({ region: "eu-west-1", endpoint })),
    (opened) => Effect.sync(() => opened.destroy()),
  )
  const MessageAttributes = Object.fromEntries(
    Object.entries(attributes).map(([name, StringValue]) => [name, { DataType: "String", StringValue }]),
  )
  const Entries = ten.map((n) => ({ Id: String(n), MessageBody: body, MessageAttributes }))
  const operations: Operations = {
    send: Effect.promise(() => client.send(new SendMessageBatchCommand({ QueueUrl, Entries }))),
    receive: Effect.promise(() =>
      client.send(
        new ReceiveMessageCommand({
          QueueUrl,
          MaxNumberOfMessages: 10,
          WaitTimeSeconds: 20,
          MessageAttributeNames: ["All"],
          MessageSystemAttributeNames: ["ApproximateReceiveCount"],
        }),
      ),
    ),
    delete: Effect.promise(() =>
      client.send(
        new DeleteMessageBatchCommand({
          QueueUrl,
          Entries: receipts.map((ReceiptHandle, n) => ({ Id: String(n), ReceiptHandle })),
        }),
      ),
    ),
  }
  return operations
})

/** Processor time of this process per call, in microseconds. */
const costOf = (call: Effect.Effect<unknown, unknown>) =>
  Effect.gen(function* () {
    const before = process.cpuUsage()
    yield* Effect.forEach(Array.from({ length: calls }), () => call, {
      concurrency: CONCURRENCY,
      discard: true,
    })
    const { user, system } = process.cpuUsage(before)
    return (user + system) / calls
  })

const measure = (operations: Operations) => (): Promise<Figures> =>
  Effect.runPromise(
    Effect.all({
      "CPU µs per send of 10": costOf(operations.send),
      "CPU µs per receive of 10": costOf(operations.receive),
      "CPU µs per delete of 10": costOf(operations.delete),
    }),
  )

const program = Effect.gen(function* () {
  const server = yield* spawn({
    command: process.execPath,
    args: [`${import.meta.dirname}/servers/queue.ts`],
    env: { PATH: process.env["PATH"], NODE_ENV: "production" },
    readyWhen: /listening on (\d+)/,
  })
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: "local", AWS_SECRET_ACCESS_KEY: "local" })
  const endpoint = `http://127.0.0.1:${server.ready[1]}`
  const queueUrl = `${endpoint}/000000000000/q`
  const first = measure(yield* ours({ SQS_QUEUE_URL: queueUrl, AWS_REGION: "eu-west-1" }))
  const second = measure(yield* sdk(endpoint, queueUrl))
  // Once through both first, so that only compiled code is measured.
  yield* Effect.promise(first)
  yield* Effect.promise(second)
  const rounds = yield* Effect.promise(() => inTurns(Number(values.rounds), first, second))
  yield* Console.log(
    compare(`${calls} calls, ${CONCURRENCY} at a time`, ["the service", "the bare client"], rounds),
  )
})

program.pipe(Effect.scoped, NodeRuntime.runMain())
