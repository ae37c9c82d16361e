import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { INCREMENT_TYPE, QueueMessage } from "../../domain/Messages.ts"
import { labelledCounter } from "../../foundation/LabelledCounter.ts"
import { type ReceivedMessage, type Sqs, SQS_BATCH_SIZE, type SqsFailure } from "../../services/Sqs/Sqs.ts"
import { measureHop } from "../observe/Freshness.ts"

/** Calls that delete messages at one time. */
const DELETES = 4

const received = labelledCounter({
  name: "worker_messages_total",
  description: "Messages received, by what became of them.",
  label: "outcome",
  values: ["increment", "other", "malformed"],
})

const decodeType = Schema.decodeUnknownExit(QueueMessage)

/** Splits messages by `type`. One without a type is in neither list: it stays on the queue for the redrive policy. */
export const partitionByType = Effect.fnUntraced(function* (messages: ReadonlyArray<ReceivedMessage>) {
  const increments: Array<ReceivedMessage> = []
  const others: Array<ReceivedMessage> = []
  for (const message of messages) {
    const decoded = decodeType(message.body)
    if (Exit.isFailure(decoded)) {
      yield* Effect.logError("A message has no type and is left on the queue").pipe(
        Effect.annotateLogs({ messageId: message.id, receiveCount: message.receiveCount }),
      )
    } else if (decoded.value.type === INCREMENT_TYPE) increments.push(message)
    else others.push(message)
  }
  yield* received.add("increment", increments.length)
  yield* received.add("other", others.length)
  yield* received.add("malformed", messages.length - increments.length - others.length)
  return { increments, others }
})

/**
 * Measures the time from the commit of each message to its arrival. A redelivered message is left out, since it was
 * measured the first time; so is a message of another sender whose time is missing or no number.
 */
export const measureArrival = (messages: ReadonlyArray<ReceivedMessage>) =>
  measureHop(
    "commit-worker",
    ...messages.flatMap(({ attributes, receiveCount }) => {
      const committedAt = Number(attributes["committedAt"] ?? Number.NaN)
      return receiveCount === 1 && Number.isFinite(committedAt) ? [committedAt] : []
    }),
  )

const logWillRedeliver = (messages: number, error?: SqsFailure) =>
  Effect.logWarning("Messages could not be deleted and will be redelivered", error).pipe(
    Effect.annotateLogs({ messages }),
  )

/** Deletes messages in full calls. Never fails: what cannot be deleted is logged, and SQS redelivers it. */
export const deleteMessages = (sqs: Sqs["Service"], messages: ReadonlyArray<ReceivedMessage>) =>
  Effect.forEach(
    Arr.chunksOf(messages, SQS_BATCH_SIZE),
    (some) =>
      sqs.delete(some.map(({ receipt }) => receipt)).pipe(
        Effect.flatMap((failed) => (failed.length === 0 ? Effect.void : logWillRedeliver(failed.length))),
        Effect.catch((error) => logWillRedeliver(some.length, error)),
      ),
    { concurrency: DELETES, discard: true },
  )
