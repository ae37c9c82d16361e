import * as Effect from "effect/Effect"
import { createServer } from "node:net"

/**
 * A TCP port that was free on 127.0.0.1 a moment ago, for a process that cannot pick its own. The kernel hands
 * out such ports in turn, so another process is unlikely to take this one before it is used.
 */
export const freePort: Effect.Effect<number> = Effect.callback<number>((resume) => {
  const server = createServer()
  server.once("error", (error) => resume(Effect.die(error)))
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() =>
      resume(
        address !== null && typeof address === "object"
          ? Effect.succeed(address.port)
          : Effect.die(new Error("A TCP server without a port")),
      ),
    )
  })
})
