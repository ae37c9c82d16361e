import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { Sql } from "../../services/Sql/Sql.ts"

/** Sent commits whose rows are not deleted yet. Further ones are left to the sweep, which sends them again. */
const MAILBOX = 10_000

/** How often the rows of sent commits are deleted. A crash in between sends that much twice. */
const DELETE_EVERY = "200 millis"

/** Deletes the rows of sent commits, all of 200 ms in one statement. A row that cannot be deleted is swept up later. */
export const makeDeleter = Effect.gen(function* () {
  const sql = yield* Sql
  const sentIds = yield* Queue.dropping<string>(MAILBOX)

  const deleteRows = (ids: ReadonlyArray<string>) =>
    Effect.catch(sql.deleteOutbox(ids), (error) =>
      Effect.logWarning("Rows of sent messages could not be deleted from the outbox", error),
    )

  return {
    /** Has the rows deleted soon. */
    add: (ids: ReadonlyArray<string>) => Effect.asVoid(Queue.offerAll(sentIds, ids)),

    /** One turn: waits for rows, deletes them, and pauses. A deletion that began is finished. */
    turn: Effect.gen(function* () {
      const ids = yield* Queue.takeBetween(sentIds, 1, MAILBOX)
      yield* Effect.uninterruptible(deleteRows(ids))
      yield* Effect.sleep(DELETE_EVERY)
    }),

    /** Deletes what is left, without a pause. */
    flush: Effect.gen(function* () {
      const ids = yield* Queue.clear(sentIds)
      if (ids.length > 0) yield* deleteRows(ids)
    }),
  }
})
