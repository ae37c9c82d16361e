import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Tracer from "effect/Tracer"
import { databaseUnavailable, type Unavailable } from "../../domain/Errors.ts"
import type { IncrementAnswer, IncrementOutcome, IncrementRequest } from "../../services/Sql/Sql.ts"
import { traceContext } from "../observe/TraceContext.ts"
import type { Outbox } from "./Outbox.ts"

/** A request whose caller waits for its outcome. */
export interface PendingIncrement {
  readonly request: IncrementRequest
  /** The caller's span, where spans are collected. */
  readonly span: Tracer.Span | undefined
  /** By when the caller needs an answer: milliseconds of the monotonic clock. */
  readonly deadlineMillis: number
  readonly answer: Deferred.Deferred<IncrementOutcome, Unavailable>
}

/** Gives the same answer to every request. */
const answerAll = (batch: ReadonlyArray<PendingIncrement>, answered: Effect.Effect<never, Unavailable>) =>
  Effect.sync(() => {
    for (const { answer } of batch) Deferred.doneUnsafe(answer, answered)
  })

/** Tells every caller that the database is unavailable. */
export const refuse = (batch: ReadonlyArray<PendingIncrement>) =>
  answerAll(batch, Effect.fail(databaseUnavailable))

/** Ends every caller's request with a defect. */
export const die = (batch: ReadonlyArray<PendingIncrement>, defect: unknown) =>
  answerAll(batch, Effect.die(defect))

/** The messages of what was counted. */
const eventsOf = (batch: ReadonlyArray<PendingIncrement>, outcomes: IncrementAnswer["outcomes"]) =>
  batch.flatMap(({ request, span }, index) => {
    const outcome = outcomes[index]
    if (outcome?._tag !== "Counted") return []
    const { eventId, email } = outcome
    return [{ id: eventId, userId: request.userId, email, ...(span && traceContext(span)) }]
  })

/** Hands the messages of a committed batch to the outbox, then gives every caller its outcome. */
export const settle = Effect.fnUntraced(function* (
  outbox: Outbox["Service"],
  batch: ReadonlyArray<PendingIncrement>,
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
