import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Server } from "node:net"

/**
 * Opens a server on a free port of 127.0.0.1 and gives that port. At the end it takes no more connections, `cut` ends
 * those that are open, and it is closed when none is left.
 */
export const listen = (
  server: Server,
  cut: () => void = () => {},
): Effect.Effect<number, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      server.once("error", (error) => resume(Effect.die(error)))
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(
          address !== null && typeof address === "object"
            ? Effect.succeed(address.port)
            : Effect.die(new Error("A TCP server without a port")),
        )
      })
    }),
    () =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        cut()
      }),
  )
