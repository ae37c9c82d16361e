import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Server } from "node:http"

/** The port could not be opened: taken, forbidden, or no such address on this machine. */
export class ListenFailure extends Schema.TaggedError<ListenFailure>()("ListenFailure", {
  host: Schema.String,
  port: Schema.Int,
  cause: Schema.Defect(),
}) {}

/** A connection that was busy when the server closed is idle soon after; looked for this often. */
const CLOSE_IDLE_EVERY = "50 millis"

/** Opens the port. */
export const listen = (server: Server, host: string, port: number) =>
  Effect.callback<void, ListenFailure>((resume) => {
    const onError = (cause: Error) => resume(Effect.fail(new ListenFailure({ host, port, cause })))
    server.once("error", onError)
    server.listen({ host, port }, () => {
      server.off("error", onError)
      resume(Effect.void)
    })
  })

/** Takes no more connections and waits for the requests in flight, at most so long; then cuts what is left. Idempotent. */
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
