import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Tracer from "effect/Tracer"
import type { Unavailable } from "../../domain/Errors.ts"
import type { IncrementAnswer, IncrementOutcome, IncrementRequest } from "../../services/Sql/Sql.ts"
import { traceContext } from "../observe/TraceContext.ts"
import type { Outbox } from "./Outbox.ts"
import type { Reason, Refuse } from "./Refusals.ts"

/** A request whose caller waits for its outcome. */
export interface PendingIncrement {
  readonly request: IncrementRequest
  /** The caller's span, where spans are collected. */
  readonly span: Tracer.Span | undefined
  /** By when the caller needs an answer: milliseconds of the monotonic clock. */
  readonly deadlineMillis: number
  readonly answer: Deferred.Deferred<IncrementOutcome, Unavailable>
}

/** Requests that are committed together. */
export type Batch = ReadonlyArray<PendingIncrement>

/** Whether nobody has given the caller an answer yet. */
export const isOpen = ({ answer }: PendingIncrement): boolean => !Deferred.isDoneUnsafe(answer)

/** Refuses those who have no answer yet. */
export const refuseAll = (batch: Batch, refuse: Refuse, reason: Reason): void => {
  for (const pending of batch) {
    if (isOpen(pending)) Deferred.doneUnsafe(pending.answer, refuse(reason))
  }
}

/** Ends every caller's request with a defect. */
export const dieAll = (batch: Batch, defect: unknown): void => {
  for (const { answer } of batch) Deferred.doneUnsafe(answer, Effect.die(defect))
}

/** The messages of what was counted. */
const eventsOf = (batch: Batch, outcomes: IncrementAnswer["outcomes"]) =>
  batch.flatMap(({ request, span }, index) => {
    const outcome = outcomes[index]
    if (outcome?._tag !== "Counted") return []
    const { eventId, email } = outcome
    return [{ id: eventId, userId: request.userId, email, ...(span && traceContext(span)) }]
  })

/**
 * Hands the messages of a committed batch to the outbox, then gives every caller its outcome. A caller who was answered
 * at the deadline is counted all the same, so the message is sent.
 */
export const settle = Effect.fnUntraced(function* (
  outbox: Outbox["Service"],
  batch: Batch,
  { outcomes, outboxId }: IncrementAnswer,
) {
  if (outboxId !== undefined) {
    const committedAt = yield* Clock.currentTimeMillis
    outbox.offer({ outboxId, committedAt, events: eventsOf(batch, outcomes) })
  }
  for (const [index, { answer }] of batch.entries()) {
    const outcome = outcomes[index]
    Deferred.doneUnsafe(
      answer,
      outcome === undefined ? Effect.die("a commit gave too few outcomes") : Effect.succeed(outcome),
    )
  }
})
