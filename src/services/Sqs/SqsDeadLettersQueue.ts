import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
} from "@aws-sdk/client-sqs"
import * as Config from "effect/Config"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { HttpUrl } from "../../foundation/HttpUrl.ts"
import { SqsFailure } from "./Sqs.ts"
import { batch, CALL_LIMIT, limited, RECEIVE_MARGIN } from "./SqsCall.ts"
import { makeSqsClient, type SqsClient, sqsConfig } from "./SqsClient.ts"
import { type DeadLetter, SqsDeadLetters } from "./SqsDeadLetters.ts"
import { deleteEntries, receivedMessage, sendEntries } from "./SqsMessages.ts"

/** Long enough that a run does not receive a message again that it has just received. */
const HIDDEN_SECONDS = 60

/** With a wait, a receive asks all servers of SQS; without one it may find nothing in a queue that has messages. */
const WAIT_SECONDS = 1

/** What `layer` reads, beside what the queue does. */
export const config = {
  ...sqsConfig,
  /** The target of the queue's redrive policy when it is absent. */
  deadLetters: Config.option(Config.schema(HttpUrl, "SQS_DEAD_LETTER_QUEUE_URL")),
}

const RedrivePolicy = Schema.fromJsonString(Schema.Struct({ deadLetterTargetArn: Schema.String }))
const decodePolicy = Schema.decodeUnknownOption(RedrivePolicy)

/**
 * The queue beside this one that its redrive policy names. SQS takes only one of the same account and region, so the URLs
 * differ in the name alone, the last part of both the URL's path and the ARN.
 */
const findDeadLetters = Effect.fnUntraced(function* ({ call, queueUrl: QueueUrl }: SqsClient) {
  const { Attributes } = yield* call((client) =>
    client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["RedrivePolicy"] })),
  ).pipe(limited("check", CALL_LIMIT))
  const policy = decodePolicy(Attributes?.RedrivePolicy)
  const name = Option.isSome(policy) ? policy.value.deadLetterTargetArn.split(":").at(-1) : undefined
  if (name === undefined || name === "") {
    const cause = new Error(
      "the queue has no redrive policy; SQS_DEAD_LETTER_QUEUE_URL can name its dead-letter queue",
    )
    return yield* new SqsFailure({ operation: "check", cause })
  }
  return QueueUrl.replace(/[^/]+\/?$/, encodeURIComponent(name))
})

const letterOf = (message: Message): DeadLetter | undefined => {
  const received = receivedMessage(message)
  if (received === undefined) return undefined
  const sent = Number(message.Attributes?.SentTimestamp)
  return { ...received, sentAt: Option.getOrUndefined(Option.map(DateTime.make(sent), DateTime.formatIso)) }
}

const receiptsOf = (letters: ReadonlyArray<DeadLetter>) => letters.map(({ receipt }) => receipt)

/** Both queues at SQS, or at anything that speaks its protocol. */
export const layer = Layer.effect(
  SqsDeadLetters,
  Effect.gen(function* () {
    const client = yield* makeSqsClient
    const { call, queueUrl } = client
    const named = yield* config.deadLetters
    const QueueUrl = Option.isSome(named) ? named.value.href : yield* findDeadLetters(client)

    return SqsDeadLetters.of({
      url: QueueUrl,
      held: call((sqs) =>
        sqs.send(
          new GetQueueAttributesCommand({
            QueueUrl,
            AttributeNames: ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
          }),
        ),
      ).pipe(
        limited("check", CALL_LIMIT),
        Effect.map(
          ({ Attributes }) =>
            Number(Attributes?.ApproximateNumberOfMessages ?? 0) +
            Number(Attributes?.ApproximateNumberOfMessagesNotVisible ?? 0),
        ),
      ),
      receive: (limit) =>
        call((sqs) =>
          sqs.send(
            new ReceiveMessageCommand({
              QueueUrl,
              MaxNumberOfMessages: limit,
              WaitTimeSeconds: WAIT_SECONDS,
              VisibilityTimeout: HIDDEN_SECONDS,
              MessageAttributeNames: ["All"],
              MessageSystemAttributeNames: ["ApproximateReceiveCount", "SentTimestamp"],
            }),
          ),
        ).pipe(
          limited("receive", Duration.sum(Duration.seconds(WAIT_SECONDS), RECEIVE_MARGIN)),
          Effect.map(({ Messages = [] }) => Messages.flatMap((message) => letterOf(message) ?? [])),
        ),
      release: (letters) => {
        const Entries = receiptsOf(letters).map((ReceiptHandle, index) => ({
          Id: String(index),
          ReceiptHandle,
          VisibilityTimeout: 0,
        }))
        const released = call((sqs) =>
          sqs.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries })),
        )
        return Effect.asVoid(limited("release", CALL_LIMIT)(released))
      },
      send: (letters) => {
        const Entries = sendEntries(letters)
        const sent = call((sqs) => sqs.send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries })))
        return batch("send", sent, letters.length)
      },
      delete: (letters) => {
        const Entries = deleteEntries(receiptsOf(letters))
        const deleted = call((sqs) => sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries })))
        return batch("delete", deleted, letters.length)
      },
    })
  }),
)
