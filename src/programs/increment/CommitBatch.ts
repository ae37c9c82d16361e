import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { monotonicMillis } from "../../foundation/MonotonicTime.ts"
import { Sql, type SqlFailure } from "../../services/Sql/Sql.ts"
import { Outbox } from "./Outbox.ts"
import { die, type PendingIncrement, refuse, settle } from "./PendingIncrement.ts"

/** The victim of a deadlock may well succeed the next time; one that loses twice is a sign of something worse. */
const DEADLOCK_RETRIES = 1

const batchRows = Metric.histogram("increment_batch_rows", {
  description: "Requests per commit.",
  boundaries: [1, 2, 5, 10, 20, 50, 100],
})

type Batch = ReadonlyArray<PendingIncrement>

/**
 * How an attempt ended; every caller of its batch has an answer either way. `answered` = PostgreSQL said what became of
 * the batch; `unavailable` = it did not, so another attempt right now would only wait as long.
 */
type Attempt = "answered" | "unavailable"

/** Requests whose callers can still be answered in time. They arrive in order, so the expired ones come first. */
const refuseExpired = Effect.fnUntraced(function* (taken: Batch) {
  const nowMillis = yield* monotonicMillis
  const inTime = taken.findIndex(({ deadlineMillis }) => nowMillis < deadlineMillis)
  const expired = inTime === -1 ? taken.length : inTime
  yield* refuse(taken.slice(0, expired))
  return taken.slice(expired)
})

/**
 * Makes the commit of a batch: it never fails, and afterwards every caller has an answer. It tries again only what
 * PostgreSQL is known to have rolled back: the victim of a deadlock once, and row by row a batch with a row that cannot
 * be stored.
 */
export const makeCommitBatch = Effect.gen(function* () {
  const sql = yield* Sql
  const outbox = yield* Outbox

  const commitOnce = Effect.fnUntraced(function* (batch: Batch) {
    const deadlineMillis = Math.min(...batch.map((pending) => pending.deadlineMillis))
    const requests = batch.map(({ request }) => request)
    const answer = yield* sql.increment(requests, deadlineMillis - (yield* monotonicMillis))
    yield* settle(outbox, batch, answer)
  })

  const attempt = (batch: Batch, deadlockRetries: number): Effect.Effect<Attempt> =>
    commitOnce(batch).pipe(
      Effect.as<Attempt>("answered"),
      Effect.catch((failure) => recover(batch, failure, deadlockRetries)),
      // A defect too must leave no caller without an answer, and the committer alive.
      Effect.catchCause((cause) =>
        Effect.logError("A commit of increments failed", cause).pipe(
          Effect.andThen(refuse(batch)),
          Effect.as<Attempt>("unavailable"),
        ),
      ),
    )

  const recover = (
    batch: Batch,
    failure: SqlFailure,
    deadlockRetries: number,
  ): Effect.Effect<Attempt, SqlFailure> => {
    if (failure.rolledBack === "deadlock" && deadlockRetries > 0) return attempt(batch, deadlockRetries - 1)
    if (failure.rolledBack === "data" && batch.length > 1) return attemptRowByRow(batch)
    if (failure.rolledBack === "data") return Effect.as(die(batch, failure), "answered")
    return Effect.fail(failure)
  }

  const attemptRowByRow = Effect.fnUntraced(function* (batch: Batch): Effect.fn.Return<Attempt> {
    yield* Effect.logWarning("A commit had a row that cannot be stored; its rows are committed one by one")
    for (const [index, pending] of batch.entries()) {
      if ((yield* attempt([pending], DEADLOCK_RETRIES)) === "answered") continue
      yield* refuse(batch.slice(index + 1))
      return "unavailable"
    }
    return "answered"
  })

  return Effect.fnUntraced(function* (taken: Batch) {
    const batch = yield* refuseExpired(taken)
    if (batch.length === 0) return
    yield* Metric.update(batchRows, batch.length)
    yield* attempt(batch, DEADLOCK_RETRIES)
  })
})
