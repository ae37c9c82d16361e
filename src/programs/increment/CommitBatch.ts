import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type { Sql, SqlFailure } from "../../services/Sql/Sql.ts"
import type { Outbox } from "./Outbox.ts"
import { type Batch, dieAll, isOpen, refuseAll, settle } from "./PendingIncrement.ts"
import type { Refuse } from "./Refusals.ts"

/** The victim of a deadlock may well succeed the next time; one that loses twice is a sign of something worse. */
const VICTIM_RETRIES = 1

const batchRows = Metric.histogram("increment_batch_rows", {
  description: "Requests per commit.",
  boundaries: [1, 2, 5, 10, 20, 50, 100],
})

/**
 * How an attempt ended. `answered` = PostgreSQL said what became of the batch, and every caller has an answer;
 * `unavailable` = it did not, every caller has an answer, and another attempt right now would only wait as long;
 * `locked` = another transaction locks a row that the batch needs: nothing was committed, and the requests were handed to
 * `onLocked`.
 */
export type Attempt = "answered" | "unavailable" | "locked"

/**
 * Makes the commit of a batch by one of the calls of `Sql`. It never fails. It tries again only what PostgreSQL is known
 * to have rolled back: once the victim of a deadlock or of a stricter isolation, and row by row a batch with a row that
 * cannot be stored.
 */
export const makeCommitBatch = (options: {
  readonly call: Sql["Service"]["increment"]
  readonly outbox: Outbox["Service"]
  readonly refuse: Refuse
  /** Takes requests of a batch that waited for a locked row in vain. */
  readonly onLocked: (batch: Batch) => Effect.Effect<void>
}): ((batch: Batch) => Effect.Effect<Attempt>) => {
  const { call, outbox, refuse, onLocked } = options

  const commitOnce = Effect.fnUntraced(function* (batch: Batch) {
    yield* settle(outbox, batch, yield* call(batch.map(({ request }) => request)))
  })

  const attempt = (batch: Batch, victimRetries: number): Effect.Effect<Attempt> =>
    commitOnce(batch).pipe(
      Effect.as<Attempt>("answered"),
      Effect.catch((failure) => recover(batch, failure, victimRetries)),
      // A defect too must leave no caller without an answer, and the committer alive.
      Effect.catchCause((cause) =>
        Effect.logError("A commit of increments failed", cause).pipe(
          Effect.andThen(Effect.sync(() => refuseAll(batch, refuse, "unanswered"))),
          Effect.as<Attempt>("unavailable"),
        ),
      ),
    )

  const recover = (
    batch: Batch,
    failure: SqlFailure,
    victimRetries: number,
  ): Effect.Effect<Attempt, SqlFailure> => {
    if (failure.rolledBack === "lock") return Effect.as(onLocked(batch), "locked")
    const isVictim = failure.rolledBack === "deadlock" || failure.rolledBack === "serialization"
    if (isVictim && victimRetries > 0) return attempt(batch, victimRetries - 1)
    if (failure.rolledBack === "data" && batch.length > 1) return attemptRowByRow(batch)
    if (failure.rolledBack === "data")
      return Effect.as(
        Effect.sync(() => dieAll(batch, failure)),
        "answered",
      )
    return Effect.fail(failure)
  }

  const attemptRowByRow = Effect.fnUntraced(function* (batch: Batch): Effect.fn.Return<Attempt> {
    yield* Effect.logWarning("A commit had a row that cannot be stored; its rows are committed one by one")
    for (const [index, pending] of batch.entries()) {
      if (!isOpen(pending)) continue
      if ((yield* attempt([pending], VICTIM_RETRIES)) !== "unavailable") continue
      refuseAll(batch.slice(index + 1), refuse, "outage")
      return "unavailable"
    }
    return "answered"
  })

  return Effect.fnUntraced(function* (batch: Batch) {
    yield* Metric.update(batchRows, batch.length)
    return yield* attempt(batch, VICTIM_RETRIES)
  })
}
