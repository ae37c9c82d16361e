import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import {
  createQueues,
  CREDENTIALS,
  openClient,
  type QueueOptions,
  queueUrl as urlOf,
  REGION,
} from "../../../scripts/services/Queues.ts"
import { SQS_EMULATOR } from "../../../scripts/services/Sqs.ts"
import { EngineFailure, spawn } from "./ChildProcess.ts"
import type { ChildProcess } from "./ChildProcess.ts"

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

const failed = (cause: unknown) => new EngineFailure({ message: `SQS emulator: ${String(cause)}` })

/** Starts an SQS emulator as a process of its own, with a queue in it; both end with the scope. */
export const startSqsServer = Effect.fnUntraced(function* (
  options: ServerOptions = {},
): Effect.fn.Return<SqsServer, EngineFailure, Scope.Scope> {
  const child = yield* spawn({
    command: process.execPath,
    args: [SQS_EMULATOR, String(options.port ?? 0)],
    readyWhen: /^SQS listens on (http:\/\/127\.0\.0\.1:\d+)$/,
    install: "npm install",
  })
  const endpoint = String(child.ready[1])
  const client = yield* openClient(endpoint)

  let created = 0
  const createQueue = Effect.fnUntraced(function* (queue: QueueOptions = {}) {
    created += 1
    const name = `scoreboard-${created}`
    yield* Effect.mapError(createQueues(client, name, queue), failed)
    const queueUrl = urlOf(endpoint, name)
    const deadLetterUrl = urlOf(endpoint, `${name}-dead`)
    return {
      endpoint,
      queueUrl,
      deadLetterUrl,
      env: {
        SQS_QUEUE_URL: queueUrl,
        AWS_ENDPOINT_URL_SQS: endpoint,
        AWS_REGION: REGION,
        ...CREDENTIALS,
      },
    }
  })

  return { ...(yield* createQueue(options)), createQueue, process: child }
})
