import { createServer } from "node:http"
import * as Effect from "effect/Effect"

/** Serves whether everything runs, for whoever waits for it: 503 until `ready`, then 200. Closed with the scope. */
export const serveHealth = Effect.fnUntraced(function* (host: string, port: number) {
  let isReady = false
  yield* Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const server = createServer((_request, response) => {
        response
          .writeHead(isReady ? 200 : 503, { "content-type": "application/json", "cache-control": "no-store" })
          .end(JSON.stringify({ status: isReady ? "ready" : "starting" }))
      })
      server.once("error", (error) => resume(Effect.die(error)))
      server.listen(port, host, () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      }),
  )
  return { ready: Effect.sync(() => void (isReady = true)) }
})
