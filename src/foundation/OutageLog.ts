import * as Effect from "effect/Effect"

/**
 * Logs an outage twice, however many calls fail in it: a warning with the error of the first call that fails, and a
 * line with the first call that succeeds again. Make one per outage that is told apart; failures pass through.
 * `belongs` says which failures belong to an outage: all unless it is given.
 */
export const outageLog = (messages: {
  readonly begins: string
  readonly ends: string
  readonly belongs?: (error: unknown) => boolean
}) => {
  let isOutage = false
  const failed = (error: unknown) =>
    Effect.suspend(() => {
      if (isOutage || messages.belongs?.(error) === false) return Effect.void
      isOutage = true
      return Effect.logWarning(messages.begins, error)
    })
  const succeeded = Effect.suspend(() => {
    if (!isOutage) return Effect.void
    isOutage = false
    return Effect.logInfo(messages.ends)
  })
  return <A, E, R>(call: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.tapError(
      Effect.suspend(() => (isOutage ? Effect.tap(call, succeeded) : call)),
      failed,
    )
}
