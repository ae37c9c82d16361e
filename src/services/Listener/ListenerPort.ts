import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Server } from "node:http"

/** The port could not be opened: it is taken or forbidden, or the machine has no such address. */
export class ListenFailure extends Schema.TaggedError<ListenFailure>()("ListenFailure", {
  host: Schema.String,
  port: Schema.Int,
  cause: Schema.Defect(),
}) {}

/** A connection that was busy when the server closed becomes idle soon after. We look for those this often. */
const CLOSE_IDLE_EVERY = "50 millis"

/** Opens a port. */
export const listen = (server: Server, host: string, port: number) =>
  Effect.callback<void, ListenFailure>((resume) => {
    const onError = (cause: Error) => resume(Effect.fail(new ListenFailure({ host, port, cause })))
    server.once("error", onError)
    server.listen({ host, port }, () => {
      server.off("error", onError)
      resume(Effect.void)
    })
  })

/**
 * Accepts no more connections and waits for the requests in flight, at most `limit`. Then it cuts the connections that
 * are left. Idempotent.
 */
export const close = (server: Server, limit: Duration.Duration) => {
  const closed = Effect.callback<void>((resume) => {
    if (!server.listening) return resume(Effect.void)
    server.close(() => resume(Effect.void))
  })
  const closeIdle = Effect.sync(() => server.closeIdleConnections()).pipe(
    Effect.delay(CLOSE_IDLE_EVERY),
    Effect.forever,
  )
  return Effect.raceFirst(closed, closeIdle).pipe(
    Effect.timeoutOption(limit),
    Effect.andThen(Effect.sync(() => server.closeAllConnections())),
  )
}
