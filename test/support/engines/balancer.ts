import * as Effect from "effect/Effect"
import { connect, createServer, type Socket } from "node:net"
import { listen } from "./listen.ts"

/** A process behind the balancer. */
export interface Backend {
  readonly port: number
  /** Where `/health/ready` is. */
  readonly managementPort: number
}

/** How often readiness is asked for. */
const CHECK_EVERY_MILLIS = 50

/**
 * A TCP load balancer on a free port of 127.0.0.1: new connections go to the ready backends in turn, open ones stay
 * where they are. Gone with the scope.
 */
export const startBalancer = Effect.fnUntraced(function* () {
  const backends = new Map<Backend, boolean>()
  const sockets = new Set<Socket>()
  let turn = 0

  const server = createServer((client) => {
    const ready = [...backends].flatMap(([backend, isReady]) => (isReady ? [backend] : []))
    // Like those in clouds, it rather tries one that is not ready than nobody.
    const candidates = ready.length === 0 ? [...backends.keys()] : ready
    const backend = candidates[turn++ % candidates.length]
    if (backend === undefined) return client.destroy()
    const upstream = connect({ host: "127.0.0.1", port: backend.port })
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket)
      socket.pipe(other)
      socket.on("error", () => other.destroy())
      socket.on("close", () => {
        sockets.delete(socket)
        other.destroySoon()
      })
    }
    return undefined
  })

  const check = async (backend: Backend) => {
    const answer = await fetch(`http://127.0.0.1:${backend.managementPort}/health/ready`).catch(
      () => undefined,
    )
    await answer?.body?.cancel()
    if (backends.has(backend)) backends.set(backend, answer?.status === 200)
  }
  const checks = setInterval(() => {
    for (const backend of backends.keys()) void check(backend)
  }, CHECK_EVERY_MILLIS)

  const port = yield* listen(server, () => {
    clearInterval(checks)
    for (const socket of sockets) socket.destroy()
  })
  return {
    url: `http://127.0.0.1:${port}`,
    add: (backend: Backend) => Effect.sync(() => void backends.set(backend, false)),
    remove: (backend: Backend) => Effect.sync(() => void backends.delete(backend)),
    /** How many get new connections at the moment. */
    ready: () => [...backends.values()].filter(Boolean).length,
  }
})
