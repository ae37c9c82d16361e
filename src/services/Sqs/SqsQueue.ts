import {
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
} from "@aws-sdk/client-sqs"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Sqs, SQS_BATCH_SIZE, SQS_WAIT_SECONDS } from "./Sqs.ts"
import { withBatchLimits } from "./SqsBatchLimits.ts"
import { batch, CALL_LIMIT, limited, RECEIVE_MARGIN } from "./SqsCall.ts"
import { makeSqsClient, sqsConfig } from "./SqsClient.ts"
import { deleteEntries, receivedMessage, sendEntries } from "./SqsMessages.ts"

const makeQueue = Effect.fnUntraced(function* (waitSeconds: number) {
  const { queueUrl: QueueUrl, call } = yield* makeSqsClient

  const receive = call((client) =>
    client.send(
      new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: SQS_BATCH_SIZE,
        WaitTimeSeconds: waitSeconds,
        MessageAttributeNames: ["All"],
        MessageSystemAttributeNames: ["ApproximateReceiveCount"],
      }),
    ),
  ).pipe(
    Effect.flatMap(({ Messages = [] }) => {
      const messages = Messages.flatMap((message) => receivedMessage(message) ?? [])
      return messages.length === Messages.length
        ? Effect.succeed(messages)
        : Effect.fail(new Error("SQS gave a message without one of its fields"))
    }),
    limited("receive", Duration.sum(Duration.seconds(waitSeconds), RECEIVE_MARGIN)),
  )

  const service: Sqs["Service"] = {
    send: Effect.fn("Sqs.send")((messages) => {
      const Entries = sendEntries(messages)
      const sent = call((client) => client.send(new SendMessageBatchCommand({ QueueUrl, Entries })))
      return batch("send", sent, messages.length)
    }),
    receive,
    delete: Effect.fn("Sqs.delete")((receipts) => {
      const Entries = deleteEntries(receipts)
      const deleted = call((client) => client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries })))
      return Effect.map(batch("delete", deleted, receipts.length), (left) =>
        receipts.filter((_, index) => left.includes(index)),
      )
    }),
    check: call((client) =>
      client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["QueueArn"] })),
    ).pipe(limited("check", CALL_LIMIT), Effect.asVoid),
  }
  return service
})

/** What the layers read. */
export const config = sqsConfig

/**
 * A queue of SQS, or of anything that speaks its protocol. Reads SQS_QUEUE_URL, AWS_REGION and the optional
 * AWS_ENDPOINT_URL_SQS; SQS itself need not answer for the layer to be built.
 */
export const layerWith = (options: { readonly waitSeconds: number }) =>
  Layer.effect(Sqs, Effect.map(makeQueue(options.waitSeconds), withBatchLimits))

/** `layerWith` the longest wait. */
export const layer = layerWith({ waitSeconds: SQS_WAIT_SECONDS })
