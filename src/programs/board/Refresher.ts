import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import { labelledCounter } from "../../foundation/LabelledCounter.ts"
import { outageLog } from "../../foundation/OutageLog.ts"
import { survivingDefects } from "../../foundation/SurvivingDefects.ts"
import type { RedisFailure } from "../../services/Redis/Redis.ts"
import type { SqlFailure } from "../../services/Sql/Sql.ts"
import { Board } from "./Board.ts"

/**
 * How often the board is refreshed without a request. Far below the key's time to live of 60 s, so the key never
 * expires. A change whose message was lost, or that was made by hand, is shown within about a second.
 */
const TICK = "1 second"

/**
 * From the end of one refresh to the next. Sockets get a board every 50 ms at most (`BROADCAST_INTERVAL`), so viewers
 * would not see more of them. After a quiet moment the first refresh begins at once.
 */
const PAUSE = "20 millis"

/** Callers that wait for a refresh at one time; more of them wait for a place. */
const MAILBOX = 256

const refreshes = labelledCounter({
  name: "board_refreshes_total",
  description: "Boards selected and offered to Redis, by outcome.",
  label: "outcome",
  values: ["written", "renewed", "older", "failed"],
})

export type RefreshFailure = SqlFailure | RedisFailure

/** Refreshes the board: one refresh at a time. All callers that arrive during one share the next. */
export class Refresher extends Context.Service<
  Refresher,
  {
    /** Succeeds when a refresh that began after this call has reached Redis; fails if that refresh fails. */
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

  const outage = outageLog({
    begins: "The board cannot be refreshed; trying every second",
    ends: "The board is refreshed again",
  })
  // The next tick is the retry.
  const tick = Effect.ignore(outage(refresh))
  yield* Effect.forkScoped(Effect.repeat(survivingDefects("The tick")(tick), Schedule.spaced(TICK)))

  return Refresher.of({ refresh })
})
