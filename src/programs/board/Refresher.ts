import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import { labelledCounter } from "../../foundation/LabelledCounter.ts"
import { makeModeration, moderated } from "../../foundation/Moderation.ts"
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
 * How refreshes are moderated. A lone message is shown at once. Messages that come quickly share boards: a worker makes 50
 * a second under load, and at most 80. A refresh of up to 20 ms is followed by a pause at least as long.
 */
const MODERATION = { longestMillis: 20, pausePerCost: 1, mergeMillis: 20 }

/** Callers that wait for a refresh at one time; more of them wait for a place. */
const MAILBOX = 256

const refreshes = labelledCounter({
  name: "board_refreshes_total",
  description: "Boards selected and offered to Redis, by outcome.",
  label: "outcome",
  values: ["written", "renewed", "older", "failed"],
})

export type RefreshFailure = SqlFailure | RedisFailure

/** Who waits for a refresh, and how many messages of the queue that is for. */
interface Caller {
  readonly answer: Deferred.Deferred<void, RefreshFailure>
  readonly messages: number
}

/** Refreshes the board: one refresh at a time. All callers that arrive during one share the next. */
export class Refresher extends Context.Service<
  Refresher,
  {
    /**
     * Succeeds when a refresh that began after this call has reached Redis; fails if that refresh fails. `messages` is
     * how many messages of the queue ask for it, by which refreshes are moderated.
     */
    refresh(messages: number): Effect.Effect<void, RefreshFailure>
  }
>()("scoreboard/programs/Refresher") {
  static readonly layer = Layer.effect(
    Refresher,
    Effect.suspend(() => make),
  )
}

const make = Effect.gen(function* () {
  const board = yield* Board
  const mailbox = yield* Queue.bounded<Caller>(MAILBOX)
  const moderation = makeModeration(MODERATION)

  const once = board.refresh.pipe(
    Effect.tap((outcome) => refreshes.add(outcome)),
    Effect.tapError(() => refreshes.add("failed")),
    Effect.asVoid,
  )
  const serve = Effect.gen(function* () {
    const waiting = yield* Queue.takeBetween(mailbox, 1, MAILBOX)
    const messages = waiting.reduce((sum, caller) => sum + caller.messages, 0)
    const answered = Effect.exit(once).pipe(
      Effect.map((exit) => {
        for (const { answer } of waiting) Deferred.doneUnsafe(answer, exit)
        return messages
      }),
    )
    yield* moderated(moderation, answered)
  })
  yield* Effect.forkScoped(Effect.forever(survivingDefects("The refresher")(serve)))

  const refresh = Effect.fnUntraced(function* (messages: number) {
    const answer = yield* Deferred.make<void, RefreshFailure>()
    yield* Queue.offer(mailbox, { answer, messages })
    return yield* Deferred.await(answer)
  })

  const outage = outageLog({
    begins: "The board cannot be refreshed; trying every second",
    ends: "The board is refreshed again",
  })
  // The next tick is the retry.
  const tick = Effect.ignore(outage(refresh(0)))
  yield* Effect.forkScoped(Effect.repeat(survivingDefects("The tick")(tick), Schedule.spaced(TICK)))

  return Refresher.of({ refresh })
})
