import { SQSClient } from "@aws-sdk/client-sqs"
import type { Message, SendMessageBatchRequestEntry } from "@aws-sdk/client-sqs"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { OutgoingMessage, ReceivedMessage } from "./Sqs.ts"

const HttpUrl = Schema.URL.check(
  Schema.makeFilter((url) => url.protocol === "https:" || url.protocol === "http:", {
    expected: "an http or https URL",
  }),
)

/** The SDK reads its credentials by itself, under its own names, at the first call. */
export const sqsConfig = {
  queueUrl: Config.schema(HttpUrl, "SQS_QUEUE_URL"),
  region: Config.NonEmptyString("AWS_REGION"),
  // Given to the client by hand, because the SDK prefers the queue's own host to an endpoint that it read itself.
  endpoint: Config.option(Config.schema(HttpUrl, "AWS_ENDPOINT_URL_SQS")),
}

/** A connection in one region takes milliseconds; a second address deserves a try within `CALL_LIMIT`. */
const CONNECT_MILLIS = 1_000

/** One retry, for a kept-alive connection that SQS had just closed. Later tries are the caller's. */
const ATTEMPTS = 2

/** Connections per process: every poller holds one for its whole wait, sends and deletes need theirs beside. */
const CONNECTIONS = 64

/** The SDK's client, destroyed with the scope, and the queue it is for. */
export const makeSqsClient = Effect.gen(function* () {
  const { queueUrl, region, endpoint } = yield* Config.all(sqsConfig)
  const agent = { keepAlive: true, maxSockets: CONNECTIONS }
  const client = yield* Effect.acquireRelease(
    Effect.sync(
      () =>
        new SQSClient({
          region,
          ...(Option.isSome(endpoint) ? { endpoint: endpoint.value.href } : {}),
          maxAttempts: ATTEMPTS,
          // No MD5 of every body, sent and received: TLS guards them already, and it is up to a quarter of the CPU.
          md5: false,
          // No requestTimeout: it ends with the headers and begins again per attempt, `limited` sees the whole call.
          requestHandler: { connectionTimeout: CONNECT_MILLIS, httpAgent: agent, httpsAgent: agent },
        }),
    ),
    (opened) => Effect.sync(() => opened.destroy()),
  )
  return { client, QueueUrl: queueUrl.href }
})

/** `index` is the entry's id in its batch. */
export const toEntry = (message: OutgoingMessage, index: number): SendMessageBatchRequestEntry => ({
  Id: String(index),
  MessageBody: message.body,
  MessageAttributes: Object.fromEntries(
    Object.entries(message.attributes).map(([name, StringValue]) => [
      name,
      { DataType: "String", StringValue },
    ]),
  ),
})

/** Binary attributes are left out: this system sends none. Throws when SQS left out what it always gives. */
export const fromMessage = (message: Message): ReceivedMessage => {
  const { MessageId: id, ReceiptHandle: receipt, Body: body } = message
  const receiveCount = Number(message.Attributes?.ApproximateReceiveCount)
  if (id === undefined || receipt === undefined || body === undefined || !Number.isInteger(receiveCount)) {
    throw new Error("SQS gave a message without its id, receipt, body or receive count")
  }
  const attributes = Object.entries(message.MessageAttributes ?? {}).flatMap(([name, { StringValue }]) =>
    StringValue === undefined ? [] : [[name, StringValue] as const],
  )
  return { id, receipt, body, attributes: Object.fromEntries(attributes), receiveCount }
}
