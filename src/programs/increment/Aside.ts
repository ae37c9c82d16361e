import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import { monotonicMillis } from "../../foundation/MonotonicTime.ts"
import { type Alone, AsideState } from "./AsideState.ts"
import type { Attempt } from "./CommitBatch.ts"
import { type Batch, type PendingIncrement, refuseAll } from "./PendingIncrement.ts"
import type { Refuse } from "./Refusals.ts"

/** While the next try is not due yet: how long a batch that is set aside meanwhile waits at most, in milliseconds. */
const IDLE_MILLIS = 10

/**
 * What is set aside because another transaction locks a row that it needs. A batch is halved until it is known whose row
 * that is; those players are then tried alone, and everybody else is committed. One fiber takes the turns.
 */
export const makeAside = (refuse: Refuse) => {
  const state = new AsideState(refuse)
  const work = Latch.makeUnsafe(false)

  /** Commits what is still open of some requests. */
  const attempt = Effect.fnUntraced(function* (
    requests: Batch,
    commit: (batch: Batch) => Effect.Effect<Attempt>,
  ) {
    const batch = state.dropAnswered(requests)
    const how: Attempt = batch.length === 0 ? "unavailable" : yield* commit(batch)
    if (how !== "locked") state.leave(batch)
    return { batch, how, nowMillis: yield* monotonicMillis }
  })

  const tryBatch = Effect.fnUntraced(function* (
    requests: Batch,
    commit: (batch: Batch) => Effect.Effect<Attempt>,
  ) {
    const { batch, how, nowMillis } = yield* attempt(requests, commit)
    if (how === "locked") state.halve(batch, nowMillis)
  })

  const tryAlone = Effect.fnUntraced(function* (
    alone: Alone,
    commit: (batch: Batch) => Effect.Effect<Attempt>,
  ) {
    state.takeAlone(alone.player)
    const { batch, how, nowMillis } = yield* attempt(alone.batch, commit)
    if (how === "locked") state.stillLocked({ ...alone, batch }, nowMillis)
    else if (how === "answered") state.free(alone.player)
  })

  return {
    /** Sets a batch aside. */
    add: (batch: Batch) =>
      Effect.sync(() => {
        state.addBatch(state.admit(batch))
        work.openUnsafe()
      }),

    /** Takes a request of a player who is known as locked, or refuses it; false for any other player. */
    take: (pending: PendingIncrement, nowMillis: number): boolean => {
      const player = pending.request.userId
      const refusedUntil = state.refusedUntil(player)
      if (refusedUntil === undefined) return false
      if (nowMillis < refusedUntil) refuseAll([pending], refuse, "locked")
      else state.addAlone(player, state.admit([pending]), nowMillis)
      work.openUnsafe()
      return true
    },

    /** One turn: waits for something to try, and tries it. A try that began is finished. */
    turn: (commit: (batch: Batch) => Effect.Effect<Attempt>) =>
      Effect.gen(function* () {
        if (state.isEmpty) yield* work.close
        yield* work.await
        const nowMillis = yield* monotonicMillis
        const batch = state.takeBatch(nowMillis)
        if (batch !== undefined) return yield* Effect.uninterruptible(tryBatch(batch, commit))
        const alone = state.nextAlone()
        if (alone === undefined) return
        const wait = alone.nextMillis - nowMillis
        yield* wait > 0
          ? Effect.sleep(Math.min(wait, IDLE_MILLIS))
          : Effect.uninterruptible(tryAlone(alone, commit))
      }),
  }
}
