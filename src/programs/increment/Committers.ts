import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Tracer from "effect/Tracer"
import type { Unavailable } from "../../domain/Errors.ts"
import { survivingDefects } from "../../foundation/SurvivingDefects.ts"
import { monotonicMillis } from "../../foundation/MonotonicTime.ts"
import { type IncrementOutcome, type IncrementRequest, Sql } from "../../services/Sql/Sql.ts"
import { makeAside } from "./Aside.ts"
import { makeCommitBatch } from "./CommitBatch.ts"
import { startDeadlines } from "./Deadlines.ts"
import { Outbox } from "./Outbox.ts"
import { makePace } from "./Pace.ts"
import { isOpen, type PendingIncrement, refuseAll } from "./PendingIncrement.ts"
import { makeRefuse } from "./Refusals.ts"

/** Requests that wait for a commit. At 10,000 a second that is 0.4 s of waiting; further ones get 503 at once. */
const MAILBOX = 4096

/** Rows of one commit: a batch of 100 costs an eighth of 100 batches of 1, and larger batches save little more. */
const BATCH = 100

/** Commits in flight at one time: while one waits for its flush, the next one runs. */
export const COMMITTERS = 2

/**
 * From arrival to answer, whatever becomes of the commit: the design's three seconds, less what the HTTP answer needs
 * and 50 ms of `Deadlines`.
 */
const ANSWER_LIMIT_MILLIS = 2750

/**
 * The longest estimated wait for a committer; a request that would wait longer is refused on arrival. Far enough below
 * `ANSWER_LIMIT_MILLIS` that a queue is still answered in time when the database becomes half as fast meanwhile.
 */
const WAIT_LIMIT_MILLIS = 1000

/**
 * Starts the committers, which stop with the scope between two commits. Gives the way in: it submits a request and
 * waits for its outcome. Requests that arrive while commits are in flight share the next one. After a stop, whoever
 * still waits is refused.
 */
export const startCommitters = Effect.gen(function* () {
  const sql = yield* Sql
  const outbox = yield* Outbox
  const refuse = yield* makeRefuse
  const deadlines = yield* startDeadlines(refuse)
  const mailbox = yield* Queue.dropping<PendingIncrement>(MAILBOX)
  const pace = makePace({ committers: COMMITTERS, batchRows: BATCH })

  const aside = makeAside(refuse)
  const commitAside = makeCommitBatch({
    call: sql.incrementAside,
    outbox,
    refuse,
    onLocked: () => Effect.void,
  })
  yield* Effect.forkScoped(Effect.forever(survivingDefects("Setting aside")(aside.turn(commitAside))))

  const commitBatch = makeCommitBatch({ call: sql.increment, outbox, refuse, onLocked: aside.add })

  /** Requests that can still be committed in time; the others are refused before they cost the database anything. */
  const inTime = (taken: ReadonlyArray<PendingIncrement>, nowMillis: number) => {
    const latest = nowMillis + pace.commitMillis
    refuseAll(
      taken.filter(({ deadlineMillis }) => deadlineMillis < latest),
      refuse,
      "late",
    )
    return taken.filter(isOpen)
  }

  const commitTaken = Effect.fnUntraced(function* (
    committer: number,
    taken: ReadonlyArray<PendingIncrement>,
  ) {
    const nowMillis = yield* monotonicMillis
    const batch = inTime(taken, nowMillis)
    if (batch.length === 0) return
    pace.begin(committer, nowMillis)
    const how = yield* commitBatch(batch)
    pace.end(committer, yield* monotonicMillis, how)
  })

  // Only waiting for requests is interruptible, so a batch that was taken is always committed and answered.
  const committer = (n: number) =>
    Effect.forever(
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(restore(Queue.takeBetween(mailbox, 1, BATCH)), (taken) => commitTaken(n, taken)),
      ),
    )
  for (let n = 0; n < COMMITTERS; n++) yield* Effect.forkScoped(committer(n))

  /** Lets a request in, sets it aside, or refuses it: whichever, it has an answer in time. */
  const submit = (pending: PendingIncrement, nowMillis: number) => {
    if (!deadlines.add(pending)) return refuseAll([pending], refuse, "stopping")
    if (aside.take(pending, nowMillis)) return
    const isPrompt = pace.waitMillis(Queue.sizeUnsafe(mailbox), nowMillis) <= WAIT_LIMIT_MILLIS
    if (isPrompt && Queue.offerUnsafe(mailbox, pending)) return
    refuseAll([pending], refuse, pace.isOutage ? "outage" : "queue")
  }

  return (
    request: IncrementRequest,
    span: Tracer.Span | undefined,
  ): Effect.Effect<IncrementOutcome, Unavailable> =>
    Effect.flatMap(monotonicMillis, (nowMillis) => {
      const answer = Deferred.makeUnsafe<IncrementOutcome, Unavailable>()
      submit({ request, span, deadlineMillis: nowMillis + ANSWER_LIMIT_MILLIS, answer }, nowMillis)
      return Deferred.await(answer)
    })
})
