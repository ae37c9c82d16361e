import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import { encodeIncrement } from "../../domain/Messages.ts"
import type { UserId } from "../../domain/Score.ts"
import { labelledCounter } from "../../foundation/LabelledCounter.ts"
import { type OutgoingMessage, Sqs, SQS_BATCH_SIZE, type SqsFailure } from "../../services/Sqs/Sqs.ts"
import { measureHop } from "../observe/Freshness.ts"

/** Calls to SQS at one time. */
const SEND_CONCURRENCY = 4

const messages = labelledCounter({
  name: "outbox_messages_total",
  description: "Messages of committed increments, by what became of them here.",
  label: "outcome",
  values: ["sent", "kept"],
})

/** One commit whose messages are to be sent. */
export interface Commit {
  readonly outboxId: string
  /** When it was committed, in milliseconds since 1970. */
  readonly committedAt: number
  readonly events: ReadonlyArray<{
    readonly id: string
    readonly userId: UserId
    readonly email: string
    /** The request's span by its W3C name, where spans are collected. It is not in the table, so a sweep sends none. */
    readonly traceparent?: string
  }>
}

/** What became of the commits of one send. */
export interface Sent {
  /** Outbox ids of the commits of which SQS took every message. */
  readonly sentIds: ReadonlyArray<string>
  /** Whether those are all. */
  readonly complete: boolean
}

const toMessage = (commit: Commit, event: Commit["events"][number]): OutgoingMessage => ({
  body: encodeIncrement(event),
  attributes: {
    eventId: event.id,
    committedAt: String(commit.committedAt),
    ...(event.traceparent === undefined ? undefined : { traceparent: event.traceparent }),
  },
})

/** Makes the send: it never fails, and what SQS did not take stays in the outbox. */
export const makeSend = Effect.gen(function* () {
  const sqs = yield* Sqs

  return Effect.fn("Outbox.send")(function* (commits: ReadonlyArray<Commit>): Effect.fn.Return<Sent> {
    const all = commits.flatMap((commit) =>
      commit.events.map((event) => ({ outboxId: commit.outboxId, message: toMessage(commit, event) })),
    )
    const keptIds = new Set<string>()
    let failure: SqsFailure | undefined
    const sendCall = (call: typeof all) =>
      // After one failure the other calls would only wait for the same one: for minutes, and during a shutdown too.
      Effect.suspend(() =>
        failure === undefined ? sqs.send(call.map(({ message }) => message)) : Effect.fail(failure),
      ).pipe(
        Effect.match({
          onSuccess: (refused) => refused.flatMap((index) => call[index]?.outboxId ?? []),
          onFailure: (error) => {
            failure = error
            return call.map(({ outboxId }) => outboxId)
          },
        }),
        Effect.map((unsentIds) => {
          for (const id of unsentIds) keptIds.add(id)
        }),
      )
    yield* Effect.forEach(Arr.chunksOf(all, SQS_BATCH_SIZE), sendCall, {
      concurrency: SEND_CONCURRENCY,
      discard: true,
    })

    const sent = commits.filter(({ outboxId }) => !keptIds.has(outboxId))
    yield* measureHop("commit-queue", ...sent.map(({ committedAt }) => committedAt))
    const kept = all.filter(({ outboxId }) => keptIds.has(outboxId)).length
    yield* messages.add("sent", all.length - kept)
    yield* messages.add("kept", kept)
    if (keptIds.size > 0) yield* Effect.logWarning("Messages were not sent and stay in the outbox", failure)
    return { sentIds: sent.map(({ outboxId }) => outboxId), complete: keptIds.size === 0 }
  })
})
