import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Sqs, SQS_BATCH_SIZE, SQS_WAIT_SECONDS, SqsFailure } from "./Sqs.ts"
import { withBatchLimits } from "./SqsBatchLimits.ts"
import { makeSqsClient, sqsConfig } from "./SqsClient.ts"
import { deleteEntries, type FailedEntry, readBatchAnswer, readMessages, sendEntries } from "./SqsMessages.ts"

/** One send, delete or check, its second attempt included: what a caller waits for a mute SQS. */
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

/** A refusal by the sender's fault comes again at every try, so someone has to know. Bodies are not logged. */
const logSenderFaults = (operation: SqsFailure["operation"], failed: ReadonlyArray<FailedEntry>) => {
  const codes = failed.flatMap((entry) => (entry.SenderFault ? [entry.Code] : []))
  if (codes.length === 0) return Effect.void
  return Effect.logError("SQS refuses messages for a fault of the sender").pipe(
    Effect.annotateLogs({ operation, messages: codes.length, codes: [...new Set(codes)].join(" ") }),
  )
}

const makeClientQueue = Effect.fnUntraced(function* (waitSeconds: number) {
  const client = yield* makeSqsClient
  const receiveLimit = Duration.sum(Duration.seconds(waitSeconds), RECEIVE_MARGIN)
  const receiveInput = {
    MaxNumberOfMessages: SQS_BATCH_SIZE,
    WaitTimeSeconds: waitSeconds,
    MessageAttributeNames: ["All"],
    MessageSystemAttributeNames: ["ApproximateReceiveCount"],
  }

  /** Gives the indexes of the entries of which SQS does not say that it took them. */
  const batch = (operation: "send" | "delete", call: Effect.Effect<string, Error>, size: number) =>
    call.pipe(
      Effect.flatMap(readBatchAnswer),
      limited(operation, CALL_LIMIT),
      Effect.tap(({ Failed = [] }) => logSenderFaults(operation, Failed)),
      Effect.map(({ Successful = [] }) => {
        const taken = new Set(Successful.map((entry) => entry.Id))
        return Array.from({ length: size }, (_, index) => index).filter((index) => !taken.has(String(index)))
      }),
    )

  const service: Sqs["Service"] = {
    send: Effect.fn("Sqs.send")((messages) =>
      batch("send", client.call("SendMessageBatch", { Entries: sendEntries(messages) }), messages.length),
    ),
    receive: client
      .call("ReceiveMessage", receiveInput)
      .pipe(Effect.flatMap(readMessages), limited("receive", receiveLimit)),
    delete: Effect.fn("Sqs.delete")((receipts) =>
      batch(
        "delete",
        client.call("DeleteMessageBatch", { Entries: deleteEntries(receipts) }),
        receipts.length,
      ).pipe(Effect.map((left) => receipts.filter((_, index) => left.includes(index)))),
    ),
    check: client
      .call("GetQueueAttributes", { AttributeNames: ["QueueArn"] })
      .pipe(limited("check", CALL_LIMIT), Effect.asVoid),
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
  Layer.effect(Sqs, Effect.map(makeClientQueue(options.waitSeconds), withBatchLimits))

/** `layerWith` the longest wait. */
export const layer = layerWith({ waitSeconds: SQS_WAIT_SECONDS })
