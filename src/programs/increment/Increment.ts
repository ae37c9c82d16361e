import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Queue from "effect/Queue"
import type * as Tracer from "effect/Tracer"
import { databaseAway, Forbidden, providerAway, Unauthorized, Unavailable } from "../../domain/Errors.ts"
import type { Caller } from "../../domain/ScoreboardApi.ts"
import { labelledCounter } from "../../foundation/LabelledCounter.ts"
import { monotonicMillis } from "../../foundation/MonotonicTime.ts"
import { Cognito } from "../../services/Cognito/Cognito.ts"
import {
  type IncrementAnswer,
  type IncrementOutcome,
  type IncrementRequest,
  Sql,
} from "../../services/Sql/Sql.ts"
import { Outbox } from "./Outbox.ts"
import { collectedSpan, traceContext } from "../observe/TraceContext.ts"

/** Requests that wait for a commit. At 10,000 a second that is 0.4 s of waiting; more get 503 at once. */
const MAILBOX = 4096

/** Rows of one commit: a batch of 100 costs an eighth of 100 batches of 1, and beyond it little is won. */
const BATCH = 100

/** Commits in flight at one time: while one waits for its flush, the next one runs. */
export const COMMITTERS = 2

/**
 * From arrival to answer when PostgreSQL is mute: the design's three seconds, less what the HTTP answer needs. Who
 * waited for commits that were never answered has less left for its own.
 */
const ANSWER_LIMIT_MILLIS = 2750

const increments = labelledCounter({
  name: "increments_total",
  description: "Requests to raise a score, by outcome.",
  label: "outcome",
  values: ["counted", "duplicate", "unknown", "hidden", "revoked", "unavailable"],
})
const LABELS = {
  Counted: "counted",
  Duplicate: "duplicate",
  UnknownPlayer: "unknown",
  Hidden: "hidden",
  Revoked: "revoked",
} as const

const batches = Metric.histogram("increment_batch_rows", {
  description: "Requests per commit.",
  boundaries: [1, 2, 5, 10, 20, 50, 100],
})

interface Pending {
  readonly request: IncrementRequest
  readonly span: Tracer.Span | undefined
  readonly answer: Deferred.Deferred<IncrementOutcome, Unavailable>
  /** By the monotonic clock. */
  readonly arrivedMillis: number
}

/** Owns the write path: requests that arrive while a commit is in flight share the next one. */
export class Increment extends Context.Service<
  Increment,
  {
    /**
     * Raises the caller's score by one and succeeds when that is committed; a repeat under the same key
     * succeeds and counts nothing. After `Unavailable` the outcome is unknown: repeat it under the same key.
     */
    raise(
      caller: Caller,
      key: string | undefined,
    ): Effect.Effect<void, Unauthorized | Forbidden | Unavailable>
  }
>()("scoreboard/programs/Increment") {
  static readonly layer = Layer.effect(
    Increment,
    Effect.suspend(() => make),
  )
}

const queueFull = new Unavailable({ dependency: "capacity", retryAfterSeconds: 1 })

const make = Effect.gen(function* () {
  const sql = yield* Sql
  const cognito = yield* Cognito
  const outbox = yield* Outbox
  const mailbox = yield* Queue.dropping<Pending>(MAILBOX)

  const answerAll = (pending: ReadonlyArray<Pending>, answered: Effect.Effect<never, Unavailable>) =>
    Effect.sync(() => {
      for (const { answer } of pending) Deferred.doneUnsafe(answer, answered)
    })
  const refuse = (pending: ReadonlyArray<Pending>) => answerAll(pending, Effect.fail(databaseAway))

  const commit = Effect.fnUntraced(function* (taken: ReadonlyArray<Pending>) {
    const nowMillis = yield* monotonicMillis
    const inTime = taken.findIndex(({ arrivedMillis }) => nowMillis - arrivedMillis < ANSWER_LIMIT_MILLIS)
    const pending = inTime === -1 ? [] : taken.slice(inTime)
    yield* refuse(taken.slice(0, taken.length - pending.length))
    if (pending.length === 0) return
    yield* Metric.update(batches, pending.length)
    yield* attempt(pending, true)
  })

  /**
   * Commits and answers a batch; false when PostgreSQL did not answer as it should. What the server is known to
   * have undone is done again: the victim of a deadlock once, a batch with a row that cannot be stored row by row.
   */
  const attempt = Effect.fnUntraced(function* (
    pending: ReadonlyArray<Pending>,
    deadlockAgain: boolean,
  ): Effect.fn.Return<boolean> {
    const oldestMillis = Math.min(...pending.map(({ arrivedMillis }) => arrivedMillis))
    const limitMillis = ANSWER_LIMIT_MILLIS - ((yield* monotonicMillis) - oldestMillis)
    const requests = pending.map(({ request }) => request)
    return yield* sql.increment(requests, limitMillis).pipe(
      Effect.flatMap((answer) => Effect.as(settle(pending, answer), true)),
      Effect.catch((error) => {
        if (error.rolledBack === "deadlock" && deadlockAgain) return attempt(pending, false)
        if (error.rolledBack === "data" && pending.length > 1) return rowByRow(pending)
        if (error.rolledBack === "data") return Effect.as(answerAll(pending, Effect.die(error)), true)
        return Effect.fail(error)
      }),
      // A defect as well: whoever waits is answered, and the committer lives on.
      Effect.catchCause((cause) =>
        Effect.logError("A commit of increments failed", cause).pipe(
          Effect.andThen(refuse(pending)),
          Effect.as(false),
        ),
      ),
    )
  })

  const rowByRow = Effect.fnUntraced(function* (pending: ReadonlyArray<Pending>): Effect.fn.Return<boolean> {
    yield* Effect.logWarning("A commit had a row that cannot be stored; its rows are committed one by one")
    for (const [index, one] of pending.entries()) {
      if (yield* attempt([one], true)) continue
      // Each of the others would wait for the time limit.
      yield* refuse(pending.slice(index + 1))
      return false
    }
    return true
  })

  const settle = Effect.fnUntraced(function* (
    pending: ReadonlyArray<Pending>,
    { outcomes, outboxId }: IncrementAnswer,
  ) {
    const events = pending.flatMap(({ request, span }, index) => {
      const outcome = outcomes[index]
      return outcome?._tag !== "Counted"
        ? []
        : [
            {
              id: outcome.eventId,
              userId: request.userId,
              email: outcome.email,
              ...(span && traceContext(span)),
            },
          ]
    })
    if (outboxId !== undefined)
      outbox.offer({ outboxId, committedAt: yield* Clock.currentTimeMillis, events })
    for (const [index, { answer }] of pending.entries()) {
      const outcome = outcomes[index]
      Deferred.doneUnsafe(
        answer,
        outcome === undefined ? Effect.die("a commit gave too few outcomes") : Effect.succeed(outcome),
      )
    }
  })

  // Interrupted between two commits only, and last of all what is waiting is committed.
  const committer = Effect.forever(
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(restore(Queue.takeBetween(mailbox, 1, BATCH)), commit),
    ),
  )
  for (let n = 0; n < COMMITTERS; n++) yield* Effect.forkScoped(committer)

  const submit = (request: IncrementRequest, span: Tracer.Span | undefined) =>
    Effect.flatMap(monotonicMillis, (arrivedMillis) => {
      const answer = Deferred.makeUnsafe<IncrementOutcome, Unavailable>()
      return Queue.offerUnsafe(mailbox, { request, span, answer, arrivedMillis })
        ? Deferred.await(answer)
        : Effect.fail(queueFull)
    })

  /** A player seen for the first time whose token carries no address: one question, then it is stored. */
  const emailOf = (caller: Caller) =>
    cognito.profile(caller.accessToken).pipe(
      Effect.flatMap((profile) =>
        profile.userId === caller.userId ? Effect.succeed(profile.email) : Effect.fail(new Unauthorized()),
      ),
      Effect.catchTags({
        TokenRejected: () => Effect.fail(new Unauthorized()),
        CognitoFailure: (error) =>
          Effect.andThen(Effect.logError("A profile could not be read", error), Effect.fail(providerAway)),
      }),
    )

  const raise = Effect.fnUntraced(function* (caller: Caller, key: string | undefined) {
    const request = { userId: caller.userId, email: caller.email, key, tokenId: caller.tokenId }
    const span = yield* collectedSpan
    let outcome = yield* submit(request, span)
    if (outcome._tag === "UnknownPlayer") {
      outcome = yield* submit({ ...request, email: yield* emailOf(caller) }, span)
    }
    yield* increments.add(LABELS[outcome._tag])
    if (outcome._tag === "Revoked" || outcome._tag === "UnknownPlayer") return yield* new Unauthorized()
    if (outcome._tag === "Hidden") return yield* new Forbidden()
  })

  return Increment.of({
    raise: (caller, key) =>
      Effect.tapError(raise(caller, key), (error) =>
        error._tag === "Unavailable" ? increments.add("unavailable") : Effect.void,
      ),
  })
})
