import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

export interface AdmissionOptions<E> {
  /** How many calls run at the same time. */
  readonly places: number
  /** How many more may wait for a place, in the order of their arrival. */
  readonly waiting: number
  /** How long each of them may wait. */
  readonly patience: Duration.Input
  /** The failure of a call that finds too many waiting, or has waited too long. It has not begun. */
  readonly refuse: Effect.Effect<never, E>
}

/**
 * A call that has a place or waits for one. The flag decides, and not which fiber was resumed first: a place can become
 * free in the moment in which the patience of its next call ends.
 */
interface Ticket {
  readonly turn: Deferred.Deferred<void>
  hasPlace: boolean
}

/**
 * Lets calls run as far as there are places. A queue bounded by number and age stands before them: that of a `Semaphore`
 * has no bounds.
 */
export const makeAdmission = <Refused>(options: AdmissionOptions<Refused>) => {
  const waiting = new Set<Ticket>()
  let free = options.places

  const enter = (): Ticket | undefined => {
    const hasPlace = free > 0
    if (!hasPlace && waiting.size >= options.waiting) return undefined
    const ticket = { turn: Deferred.makeUnsafe<void>(), hasPlace }
    if (hasPlace) free--
    else waiting.add(ticket)
    return ticket
  }
  const leave = (ticket: Ticket) => {
    waiting.delete(ticket)
    if (!ticket.hasPlace) return
    const [next] = waiting
    if (next === undefined) {
      free++
      return
    }
    waiting.delete(next)
    next.hasPlace = true
    Deferred.doneUnsafe(next.turn, Effect.void)
  }
  const patience = (ticket: Ticket) =>
    ticket.hasPlace
      ? Effect.void
      : Effect.asVoid(Effect.timeoutOption(Deferred.await(ticket.turn), options.patience))

  return <A, E, R>(call: Effect.Effect<A, E, R>): Effect.Effect<A, E | Refused, R> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.suspend(() => {
        const ticket = enter()
        if (ticket === undefined) return options.refuse
        return restore(patience(ticket)).pipe(
          Effect.flatMap((): Effect.Effect<A, E | Refused, R> =>
            ticket.hasPlace ? restore(call) : options.refuse,
          ),
          Effect.ensuring(Effect.sync(() => leave(ticket))),
        )
      }),
    )
}
