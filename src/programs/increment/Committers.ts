import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Tracer from "effect/Tracer"
import { Unavailable } from "../../domain/Errors.ts"
import { monotonicMillis } from "../../foundation/MonotonicTime.ts"
import type { IncrementOutcome, IncrementRequest } from "../../services/Sql/Sql.ts"
import { makeCommitBatch } from "./CommitBatch.ts"
import type { PendingIncrement } from "./PendingIncrement.ts"

/** Requests that wait for a commit. At 10,000 a second that is 0.4 s of waiting; further ones get 503 at once. */
const MAILBOX = 4096

/** Rows of one commit: a batch of 100 costs an eighth of 100 batches of 1, and larger batches save little more. */
const BATCH = 100

/** Commits in flight at one time: while one waits for its flush, the next one runs. */
export const COMMITTERS = 2

/**
 * From arrival to answer when PostgreSQL is unresponsive: the design's three seconds, less what the HTTP answer needs.
 * A request that waited behind commits without an answer has less time left for its own.
 */
const ANSWER_LIMIT_MILLIS = 2750

const mailboxFull = new Unavailable({ dependency: "capacity", retryAfterSeconds: 1 })

/**
 * Starts the committers, which stop with the scope between two commits. Gives the way in: it submits a request and
 * waits for its outcome. Requests that arrive while commits are in flight share the next one.
 */
export const startCommitters = Effect.gen(function* () {
  const commitBatch = yield* makeCommitBatch
  const mailbox = yield* Queue.dropping<PendingIncrement>(MAILBOX)

  // Only waiting for requests is interruptible, so a batch that was taken is always committed and answered.
  const committer = Effect.forever(
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(restore(Queue.takeBetween(mailbox, 1, BATCH)), commitBatch),
    ),
  )
  for (let n = 0; n < COMMITTERS; n++) yield* Effect.forkScoped(committer)

  return (
    request: IncrementRequest,
    span: Tracer.Span | undefined,
  ): Effect.Effect<IncrementOutcome, Unavailable> =>
    Effect.flatMap(monotonicMillis, (nowMillis) => {
      const answer = Deferred.makeUnsafe<IncrementOutcome, Unavailable>()
      const deadlineMillis = nowMillis + ANSWER_LIMIT_MILLIS
      return Queue.offerUnsafe(mailbox, { request, span, deadlineMillis, answer })
        ? Deferred.await(answer)
        : Effect.fail(mailboxFull)
    })
})
