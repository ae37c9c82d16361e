import { CreateQueueCommand, SQSClient } from "@aws-sdk/client-sqs"
import * as Effect from "effect/Effect"

/** The emulator's only account. */
const ACCOUNT = "000000000000"

/** The emulator takes any region and credentials, the SDK insists on some. */
export const REGION = "us-east-1"
export const CREDENTIALS = { AWS_ACCESS_KEY_ID: "local", AWS_SECRET_ACCESS_KEY: "local" }

export interface QueueOptions {
  /** How long a received message is hidden, in whole seconds: 30 when left out, as SQS has it. */
  readonly visibilitySeconds?: number
  /** Receives after which a message moves to the dead-letter queue: 5 when left out. */
  readonly maxReceiveCount?: number
}

/** The URL of a queue. The one that the emulator answers has a host name that only some resolvers know. */
export const queueUrl = (endpoint: string, name: string) => `${endpoint}/${ACCOUNT}/${name}`

/** A client of the emulator, closed with the scope. */
export const openClient = (endpoint: string) =>
  Effect.acquireRelease(
    Effect.sync(
      () =>
        new SQSClient({
          region: REGION,
          endpoint,
          credentials: {
            accessKeyId: CREDENTIALS.AWS_ACCESS_KEY_ID,
            secretAccessKey: CREDENTIALS.AWS_SECRET_ACCESS_KEY,
          },
        }),
    ),
    (client) => Effect.sync(() => client.destroy()),
  )

/** Creates a queue `name` that redrives to a dead-letter queue `name`-dead. Idempotent. */
export const createQueues = Effect.fnUntraced(function* (
  client: SQSClient,
  name: string,
  options: QueueOptions = {},
) {
  const create = (QueueName: string, Attributes: Record<string, string>) =>
    Effect.tryPromise((abortSignal) =>
      client.send(new CreateQueueCommand({ QueueName, Attributes }), { abortSignal }),
    ).pipe(Effect.timeout("5 seconds"))
  yield* create(`${name}-dead`, {})
  yield* create(name, {
    VisibilityTimeout: String(options.visibilitySeconds ?? 30),
    RedrivePolicy: JSON.stringify({
      deadLetterTargetArn: `arn:aws:sqs:${REGION}:${ACCOUNT}:${name}-dead`,
      maxReceiveCount: options.maxReceiveCount ?? 5,
    }),
  })
})
