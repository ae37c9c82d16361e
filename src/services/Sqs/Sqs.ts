import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** The most messages that one SendMessageBatch, ReceiveMessage or DeleteMessageBatch takes: a limit of SQS. */
export const SQS_BATCH_SIZE = 10

/** How long one receive waits for a first message, in seconds: the longest that SQS allows. */
export const SQS_WAIT_SECONDS = 20

/** SQS refused, or did not answer in time. `cause` is for the log, never for a client. */
export class SqsFailure extends Schema.TaggedError<SqsFailure>()("SqsFailure", {
  operation: Schema.Literals(["send", "receive", "delete", "release", "check"]),
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
>()("scoreboard/services/Sqs") {}
