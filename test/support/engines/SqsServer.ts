import { CreateQueueCommand, SQSClient } from "@aws-sdk/client-sqs"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { fileURLToPath } from "node:url"
import { EngineFailure, spawn } from "./ChildProcess.ts"
import type { ChildProcess } from "./ChildProcess.ts"

export interface QueueOptions {
  /** How long a received message is hidden, in whole seconds: 30 when left out, as SQS has it. */
  readonly visibilitySeconds?: number
  /** Receives after which a message moves to the dead-letter queue: 5 when left out. */
  readonly maxReceiveCount?: number
}

export interface SqsQueue {
  /** Such as http://127.0.0.1:4566, without a path. */
  readonly endpoint: string
  readonly queueUrl: string
  readonly deadLetterUrl: string
  /** What a process of this system, or the SDK, needs to use the queue. */
  readonly env: Readonly<
    Record<
      "SQS_QUEUE_URL" | "AWS_ENDPOINT_URL_SQS" | "AWS_REGION" | "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY",
      string
    >
  >
}

export interface ServerOptions extends QueueOptions {
  /** A free one when left out; that of an earlier server to come back where it was, with empty queues. */
  readonly port?: number
}

export interface SqsServer extends SqsQueue {
  /** Creates a further queue with a dead-letter queue of its own. */
  readonly createQueue: (options?: QueueOptions) => Effect.Effect<SqsQueue, EngineFailure>
  readonly process: ChildProcess
}

/** The emulator takes any credentials, the SDK insists on some. */
const credentials = { AWS_ACCESS_KEY_ID: "local", AWS_SECRET_ACCESS_KEY: "local" }
const region = "us-east-1"
/** The emulator's only account. */
const account = "000000000000"

const failed = (cause: unknown) => new EngineFailure({ message: `SQS emulator: ${String(cause)}` })

/** Starts an SQS emulator as a process of its own, with a queue in it; both end with the scope. */
export const startSqsServer = Effect.fnUntraced(function* (
  options: ServerOptions = {},
): Effect.fn.Return<SqsServer, EngineFailure, Scope.Scope> {
  const child = yield* spawn({
    command: process.execPath,
    args: [fileURLToPath(new URL("sqs-server.ts", import.meta.url)), String(options.port ?? 0)],
    readyWhen: /^SQS listens on (http:\/\/127\.0\.0\.1:\d+)$/,
    install: "npm install",
  })
  const endpoint = String(child.ready[1])
  const client = yield* Effect.acquireRelease(
    Effect.sync(
      () =>
        new SQSClient({
          region,
          endpoint,
          credentials: {
            accessKeyId: credentials.AWS_ACCESS_KEY_ID,
            secretAccessKey: credentials.AWS_SECRET_ACCESS_KEY,
          },
        }),
    ),
    (opened) => Effect.sync(() => opened.destroy()),
  )

  let created = 0
  const createQueue = Effect.fnUntraced(function* (queue: QueueOptions = {}) {
    created += 1
    const name = `scoreboard-${created}`
    const create = (QueueName: string, Attributes: Record<string, string>) =>
      Effect.tryPromise({
        try: (abortSignal) => client.send(new CreateQueueCommand({ QueueName, Attributes }), { abortSignal }),
        catch: failed,
      }).pipe(
        Effect.timeout("5 seconds"),
        Effect.mapError(failed),
        // The URL that the emulator answers has a host name that only some resolvers know.
        Effect.as(`${endpoint}/${account}/${QueueName}`),
      )
    const deadLetterUrl = yield* create(`${name}-dead`, {})
    const queueUrl = yield* create(name, {
      VisibilityTimeout: String(queue.visibilitySeconds ?? 30),
      RedrivePolicy: JSON.stringify({
        deadLetterTargetArn: `arn:aws:sqs:${region}:${account}:${name}-dead`,
        maxReceiveCount: queue.maxReceiveCount ?? 5,
      }),
    })
    return {
      endpoint,
      queueUrl,
      deadLetterUrl,
      env: {
        SQS_QUEUE_URL: queueUrl,
        AWS_ENDPOINT_URL_SQS: endpoint,
        AWS_REGION: region,
        ...credentials,
      },
    }
  })

  return { ...(yield* createQueue(options)), createQueue, process: child }
})
