import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Scope from "effect/Scope"
import { createServer } from "node:http"
import type { Socket } from "node:net"
import { SocketHub } from "../../../../src/services/SocketHub/SocketHub.ts"
import { listen } from "../../../support/engines/listen.ts"
import { rawPeer, type RawPeer } from "./peerFixtures.ts"

/** Who asks for this gets the stamped form. */
export const STAMPED = "/stamped"

/** A server that hands its upgrades to a hub, on a free port. */
export const startHub = Effect.fnUntraced(function* (limits: Readonly<Record<string, string>> = {}) {
  const scope = yield* Effect.scope
  const hubScope = yield* Scope.fork(scope)
  const context = yield* Layer.buildWithScope(
    SocketHub.layer.pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(limits)))),
    hubScope,
  )
  const hub = yield* SocketHub.pipe(Effect.provide(context))
  /** The server's side of every connection. */
  const sockets: Array<Socket> = []
  const server = createServer((_request, response) => response.end("ok"))
  server.on("connection", (socket) => sockets.push(socket))
  server.on("upgrade", (request, socket, head) => {
    const form = request.url === STAMPED ? "stamped" : "plain"
    const refusal = hub.accept(request, socket, head, request.socket.remoteAddress ?? "", form)
    if (refusal === undefined) return
    socket.end(`HTTP/1.1 ${refusal.status} ${refusal.title}\r\n${refusal.headers.join("\r\n")}\r\n\r\n`)
  })
  const port = yield* listen(server, () => server.closeAllConnections())
  const peer = (options: { readonly from?: string; readonly early?: Buffer; readonly path?: string } = {}) =>
    Effect.acquireRelease(
      Effect.promise(() => rawPeer({ port, ...options })),
      ({ socket }) => Effect.sync(() => socket.destroy()),
    )
  return { hub, peer, port, sockets, close: Scope.close(hubScope, Exit.void) }
})

/** Sends a text to everybody, in whatever form they want it. */
export const say = (hub: SocketHub["Service"], text: string) =>
  Effect.andThen(
    hub.hold(() => text),
    hub.broadcast,
  )

export const wait = (promise: () => Promise<void>) => Effect.promise(promise)
export const pause = (millis: number) =>
  Effect.promise(() => new Promise<void>((done) => setTimeout(done, millis)))

/** Under a TestClock nobody would move the time that a drain waits for its viewers. */
export const leaveAll = (peers: ReadonlyArray<RawPeer>) => {
  for (const { socket } of peers) socket.destroy()
  return eventually(
    Effect.map(connections, (open) => open === 0),
    "the end of all",
  )
}

/** Waits in real time, also under a TestClock. */
export const eventually = (check: Effect.Effect<boolean>, what: string) =>
  Effect.gen(function* () {
    for (let tries = 0; tries < 500; tries++) {
      if (yield* check) return
      yield* pause(10)
    }
    return yield* Effect.die(new Error(`not within 5 s: ${what}`))
  })

/** How many sockets are open, as an operator reads it: of the hub that changed last. */
export const connections = Effect.map(
  Metric.value(Metric.gauge("websocket_connections", { description: "Open sockets." })),
  ({ value }) => value,
)

export const cuts = (reason: string) =>
  Effect.map(
    Metric.value(
      Metric.withAttributes(
        Metric.counter("websocket_cut_total", { description: "Sockets cut, by reason.", incremental: true }),
        { reason },
      ),
    ),
    ({ count }) => count,
  )

/** A board's text, padded so that a few of them fill any kernel buffer. */
const wide = (version: number) => `${version} ${"x".repeat(60_000)}`
export const versions = (peer: RawPeer) => peer.texts().map((text) => Number(text.split(" ")[0]))

/** Broadcasts until a peer that does not read has unread bytes in this process. */
export const fill = Effect.fnUntraced(function* (
  hub: SocketHub["Service"],
  side: Socket | undefined,
  text: (version: number) => string = wide,
): Effect.fn.Return<number> {
  for (let version = 1; version < 2000; version++) {
    yield* say(hub, text(version))
    if ((side?.writableLength ?? 0) > 0) return version
    // Under the loopback, bytes move to the peer's kernel between two turns.
    yield* pause(1)
  }
  return yield* Effect.die(new Error("the kernel took everything"))
})
