import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { monotonicMillis } from "../../foundation/MonotonicTime.ts"
import { type PendingIncrement, refuseAll } from "./PendingIncrement.ts"
import type { Refuse } from "./Refusals.ts"

/** How often overdue requests are looked for: an answer is at most this late. */
const CHECK_EVERY = "50 millis"

/**
 * Answers every request by its deadline, wherever it is: in the queue, set aside or in a commit. One loop does it for
 * all, so a request costs no timer of its own. When the scope ends, whoever still waits is refused.
 */
export const startDeadlines = Effect.fnUntraced(function* (refuse: Refuse) {
  // In order of their deadlines, because all have the same time. At most as many as arrive in that time.
  let open: Array<PendingIncrement> = []
  let isStopping = false

  const check = Effect.map(monotonicMillis, (nowMillis) => {
    const first = open.findIndex(
      ({ answer, deadlineMillis }) => !Deferred.isDoneUnsafe(answer) && nowMillis < deadlineMillis,
    )
    const left = first === -1 ? open.splice(0) : open.splice(0, first)
    refuseAll(left, refuse, "unanswered")
  })

  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      isStopping = true
      refuseAll(open, refuse, "stopping")
      open = []
    }),
  )
  yield* Effect.forkScoped(Effect.forever(Effect.delay(check, CHECK_EVERY)))

  return {
    /** Has the request answered in time. False when the process stops: then the request must be refused. */
    add: (pending: PendingIncrement): boolean => {
      if (isStopping) return false
      open.push(pending)
      return true
    },
  }
})
