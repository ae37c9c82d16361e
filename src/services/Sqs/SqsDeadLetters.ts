import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { ReceivedMessage, SqsFailure } from "./Sqs.ts"

/** A message of the dead-letter queue. */
export interface DeadLetter extends ReceivedMessage {
  /** When it was first sent, ISO 8601, UTC; undefined if SQS did not say. */
  readonly sentAt: string | undefined
}

/** For operators: the dead-letter queue of the queue that the API and the worker use. */
export class SqsDeadLetters extends Context.Service<
  SqsDeadLetters,
  {
    /** The URL of the dead-letter queue. */
    readonly url: string

    /** About how many messages it holds, hidden ones included. */
    readonly held: Effect.Effect<number, SqsFailure>

    /**
     * Up to `limit` messages, at most `SQS_BATCH_SIZE`, and none if there are none that are visible. They are hidden from
     * other receives for a minute, or until they are released, and SQS counts the receive.
     */
    receive(limit: number): Effect.Effect<ReadonlyArray<DeadLetter>, SqsFailure>

    /** Makes received messages visible again; up to `SQS_BATCH_SIZE`. What was deleted stays deleted. */
    release(letters: ReadonlyArray<DeadLetter>): Effect.Effect<void, SqsFailure>

    /** Sends copies to the queue itself, and gives the indexes that SQS did not accept; up to `SQS_BATCH_SIZE`. */
    send(letters: ReadonlyArray<DeadLetter>): Effect.Effect<ReadonlyArray<number>, SqsFailure>

    /** Deletes them from the dead-letter queue, and gives the indexes that it did not delete; up to `SQS_BATCH_SIZE`. */
    delete(letters: ReadonlyArray<DeadLetter>): Effect.Effect<ReadonlyArray<number>, SqsFailure>
  }
>()("scoreboard/services/SqsDeadLetters") {}
