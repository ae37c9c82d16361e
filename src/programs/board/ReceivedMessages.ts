import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { INCREMENT_TYPE, QueueMessage } from "../../domain/Messages.ts"
import { labelledCounter } from "../../foundation/LabelledCounter.ts"
import type { ReceivedMessage } from "../../services/Sqs/Sqs.ts"
import { measureHop } from "../observe/Freshness.ts"

const received = labelledCounter({
  name: "worker_messages_total",
  description: "Messages received, by what became of them.",
  label: "outcome",
  values: ["increment", "other", "malformed"],
})

const decodeType = Schema.decodeUnknownExit(QueueMessage)

/** Sorts messages by `type`; what has none stays on the queue for its redrive policy. */
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
 * Measures messages from their commit. One that comes again was fresh the first time; another sender's may have no
 * time, or no number.
 */
export const measureArrival = (messages: ReadonlyArray<ReceivedMessage>) =>
  measureHop(
    "commit-worker",
    ...messages.flatMap(({ attributes, receiveCount }) => {
      const committedAt = Number(attributes["committedAt"] ?? Number.NaN)
      return receiveCount === 1 && Number.isFinite(committedAt) ? [committedAt] : []
    }),
  )
