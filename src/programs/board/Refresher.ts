import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import { labelledCounter } from "../../foundation/LabelledCounter.ts"
import type { RedisFailure } from "../../services/Redis/Redis.ts"
import type { SqlFailure } from "../../services/Sql/Sql.ts"
import { Board } from "./Board.ts"
import { survivingDefects } from "../../foundation/SurvivingDefects.ts"

/**
 * How often the board is refreshed when nobody asks. Far below the key's time to live, so it never lapses; short
 * enough that a board whose message was lost, or changed by hand, is shown within a second or so.
 */
const TICK = "1 second"

/**
 * From the end of one refresh to the next. Sockets are written to every 50 ms at most (`BROADCAST_INTERVAL`), so nobody
 * would see more boards; the first refresh after a quiet moment is at once.
 */
const PAUSE = "20 millis"

/** Callers that wait for a refresh at one time. */
const MAILBOX = 256

const refreshes = labelledCounter({
  name: "board_refreshes_total",
  description: "Boards selected and offered to Redis, by outcome.",
  label: "outcome",
  values: ["written", "renewed", "older", "failed"],
})

export type RefreshFailure = SqlFailure | RedisFailure

/** Owns the refreshing of the board: one at a time, and what is asked for meanwhile shares the next one. */
export class Refresher extends Context.Service<
  Refresher,
  {
    /** Done when a refresh that began after this call has been accepted by Redis; fails with that refresh. */
    readonly refresh: Effect.Effect<void, RefreshFailure>
  }
>()("scoreboard/programs/Refresher") {
  static readonly layer = Layer.effect(
    Refresher,
    Effect.suspend(() => make),
  )
}

const make = Effect.gen(function* () {
  const board = yield* Board
  const mailbox = yield* Queue.bounded<Deferred.Deferred<void, RefreshFailure>>(MAILBOX)

  const once = board.refresh.pipe(
    Effect.tap((outcome) => refreshes.add(outcome)),
    Effect.tapError(() => refreshes.add("failed")),
    Effect.asVoid,
  )
  const serve = Effect.gen(function* () {
    const waiting = yield* Queue.takeBetween(mailbox, 1, MAILBOX)
    const exit = yield* Effect.exit(once)
    for (const caller of waiting) Deferred.doneUnsafe(caller, exit)
    yield* Effect.sleep(PAUSE)
  })
  yield* Effect.forkScoped(Effect.forever(survivingDefects("The refresher")(serve)))

  const refresh = Effect.gen(function* () {
    const answer = yield* Deferred.make<void, RefreshFailure>()
    yield* Queue.offer(mailbox, answer)
    return yield* Deferred.await(answer)
  })

  let failing = false
  const tick = refresh.pipe(
    Effect.matchEffect({
      onSuccess: () => {
        if (!failing) return Effect.void
        failing = false
        return Effect.logInfo("The board is refreshed again")
      },
      onFailure: (error) => {
        if (failing) return Effect.void
        failing = true
        return Effect.logWarning("The board cannot be refreshed; trying every second", error)
      },
    }),
  )
  yield* Effect.forkScoped(Effect.repeat(survivingDefects("The tick")(tick), Schedule.spaced(TICK)))

  return Refresher.of({ refresh })
})
