import {
  type BatchResultErrorEntry,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
} from "@aws-sdk/client-sqs"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Sqs, SQS_BATCH_SIZE, SQS_WAIT_SECONDS, SqsFailure } from "./Sqs.ts"
import { withBatchLimits } from "./SqsBatchLimits.ts"
import { makeSqsClient, sqsConfig } from "./SqsClient.ts"
import { deleteEntries, receivedMessage, sendEntries } from "./SqsMessages.ts"

/** One send, delete or check, its second attempt included: how long a caller waits for an unresponsive SQS. */
const CALL_LIMIT = Duration.seconds(3)

/** What a receive may take beyond its wait: an answer that began at the last moment still arrives. */
const RECEIVE_MARGIN = Duration.seconds(5)

/** Runs one call within a time limit; the limit and an interruption both abort it at once. */
const limited =
  (operation: SqsFailure["operation"], limit: Duration.Duration) =>
  <A>(call: Effect.Effect<A, Error>): Effect.Effect<A, SqsFailure> =>
    call.pipe(
      Effect.timeoutOrElse({
        duration: limit,
        orElse: () => Effect.fail(new Error(`SQS did not answer within ${Duration.format(limit)}`)),
      }),
      Effect.mapError((cause) => new SqsFailure({ operation, cause })),
    )

/** A refusal by the sender's fault is repeated at every attempt, so someone has to know. Bodies are not logged. */
const logSenderFaults = (
  operation: SqsFailure["operation"],
  failed: ReadonlyArray<BatchResultErrorEntry>,
) => {
  const codes = failed.flatMap(({ SenderFault, Code }) => (SenderFault === true ? [String(Code)] : []))
  if (codes.length === 0) return Effect.void
  return Effect.logError("SQS refuses messages for a fault of the sender").pipe(
    Effect.annotateLogs({ operation, messages: codes.length, codes: [...new Set(codes)].join(" ") }),
  )
}

/** The part of an answer to a batch that both kinds of batch have. */
interface BatchOutcome {
  readonly Successful?: ReadonlyArray<{ readonly Id: string | undefined }> | undefined
  readonly Failed?: ReadonlyArray<BatchResultErrorEntry> | undefined
}

/** Makes one call for a batch, and gives the indexes of the entries that SQS does not say it accepted. */
const batch = (operation: "send" | "delete", call: Effect.Effect<BatchOutcome, Error>, size: number) =>
  call.pipe(
    limited(operation, CALL_LIMIT),
    Effect.tap(({ Failed = [] }) => logSenderFaults(operation, Failed)),
    Effect.map(({ Successful = [] }) => {
      const accepted = new Set(Successful.map(({ Id }) => Id))
      return Array.from({ length: size }, (_, index) => index).filter((index) => !accepted.has(String(index)))
    }),
  )

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
