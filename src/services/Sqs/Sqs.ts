import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { makeSqsClient, sqsConfig } from "./SqsClient.ts"
import { makeMemory, type MemoryQueueOptions } from "./SqsMemory.ts"
import { deleteEntries, type FailedEntry, readBatchAnswer, readMessages, sendEntries } from "./SqsMessages.ts"

/** The most messages that one SendMessageBatch, ReceiveMessage or DeleteMessageBatch takes: a limit of SQS. */
export const SQS_BATCH_SIZE = 10

/** How long one receive waits for a first message, in seconds: the longest that SQS allows. */
const SQS_WAIT_SECONDS = 20

/** SQS refused, or did not answer in time. `cause` is for the log, never for a client. */
export class SqsFailure extends Schema.TaggedError<SqsFailure>()("SqsFailure", {
  operation: Schema.Literals(["send", "receive", "delete", "check"]),
  cause: Schema.Defect(),
}) {}

/**
 * A message to send. Attributes travel as string MessageAttributes beside the body: at most 10, none empty. All
 * bodies and attributes of one call together may have 1 MiB, a limit of SQS; ten of ours have about 4 KiB.
 */
export interface OutgoingMessage {
  readonly body: string
  readonly attributes: Readonly<Record<string, string>>
}

/** A received message; `receipt` is what a delete needs, valid until the visibility timeout is over. */
export interface ReceivedMessage {
  readonly id: string
  readonly receipt: string
  readonly body: string
  readonly attributes: Readonly<Record<string, string>>
  /** How often this message has been received, this time included. */
  readonly receiveCount: number
}

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

/** No entries need no call; more than SQS takes is a mistake in this program and dies. */
const oneBatch =
  <A, B>(
    operation: string,
    call: (entries: ReadonlyArray<A>) => Effect.Effect<ReadonlyArray<B>, SqsFailure>,
  ) =>
  (entries: ReadonlyArray<A>): Effect.Effect<ReadonlyArray<B>, SqsFailure> => {
    if (entries.length === 0) return Effect.succeed([])
    if (entries.length <= SQS_BATCH_SIZE) return call(entries)
    return Effect.die(
      new RangeError(`Sqs.${operation} takes at most ${SQS_BATCH_SIZE} entries, not ${entries.length}`),
    )
  }

const withBatchLimits = (service: Sqs["Service"]): Sqs["Service"] => ({
  ...service,
  send: oneBatch("send", service.send),
  delete: oneBatch("delete", service.delete),
})

export class Sqs extends Context.Service<
  Sqs,
  {
    /**
     * Sends up to `SQS_BATCH_SIZE` messages in one call and gives the indexes that SQS did not accept (empty =
     * all were sent). May have sent some when it fails: callers send again, readers see a message twice.
     */
    send(messages: ReadonlyArray<OutgoingMessage>): Effect.Effect<ReadonlyArray<number>, SqsFailure>

    /**
     * Waits up to `SQS_WAIT_SECONDS` for messages and gives up to `SQS_BATCH_SIZE` of them, or none.
     * Interruption aborts the call at once; what SQS gave to an aborted call comes again after the visibility
     * timeout.
     */
    readonly receive: Effect.Effect<ReadonlyArray<ReceivedMessage>, SqsFailure>

    /**
     * Deletes up to `SQS_BATCH_SIZE` messages in one call and gives the receipts that could not be deleted.
     * Deleting twice is no error.
     */
    delete(receipts: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>, SqsFailure>

    /** Succeeds when the queue answers. */
    readonly check: Effect.Effect<void, SqsFailure>
  }
>()("scoreboard/services/Sqs") {
  static readonly config = sqsConfig

  /**
   * A queue of SQS, or of anything that speaks its protocol. Reads SQS_QUEUE_URL, AWS_REGION and the optional
   * AWS_ENDPOINT_URL_SQS; SQS itself need not answer for the layer to be built.
   */
  static readonly layerWith = (options: { readonly waitSeconds: number }) =>
    Layer.effect(Sqs, Effect.map(makeClientQueue(options.waitSeconds), withBatchLimits))

  /** `layerWith` the longest wait. */
  static readonly layer = this.layerWith({ waitSeconds: SQS_WAIT_SECONDS })

  /** A queue in this process, emptied with it, under the rules of SQS. */
  static readonly layerMemoryWith = (options: Partial<MemoryQueueOptions>) =>
    Layer.effect(
      Sqs,
      Effect.map(makeMemory(options), (queue) => withBatchLimits(queue.service)),
    )

  /** `layerMemoryWith` the defaults of `MemoryQueueOptions`. */
  static readonly layerMemory = this.layerMemoryWith({})
}
