import { once } from "node:events"
import { connect, createServer, type Socket } from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** A network between a client and a server on loopback, which the test can break and heal. */
export interface TcpProxy {
  /** Where clients connect, on 127.0.0.1; the same all the time. */
  readonly port: number
  /** Whole: every byte is passed on. Ends all of the others; what was stalled goes on where it stopped. */
  readonly forward: Effect.Effect<void>
  /** Cuts all connections and refuses new ones; what was stalled is lost. */
  readonly refuse: Effect.Effect<void>
  /** A black hole: connections are accepted and stay open, no byte passes in either direction. */
  readonly stall: Effect.Effect<void>
  /** Slow: what arrives is passed on this many milliseconds later, in each direction. */
  delay(millis: number): Effect.Effect<void>
  /** New connections go to another port from now on; open ones stay where they are. */
  retarget(port: number): Effect.Effect<void>
}

/** Starts a proxy to a port of 127.0.0.1, forwarding; gone with the scope. */
export const make = Effect.fnUntraced(function* (
  firstTarget: number,
): Effect.fn.Return<TcpProxy, never, Scope.Scope> {
  const pairs = new Set<readonly [Socket, Socket]>()
  let target = firstTarget
  let stalled = false
  let delayMillis = 0

  /** Passes on a chunk late; what comes meanwhile waits unread, so the order stays. */
  const passLate = (chunk: Buffer, from: Socket, to: Socket) => {
    from.pause()
    setTimeout(() => {
      to.write(chunk)
      if (!stalled) from.resume()
    }, delayMillis)
  }
  const accept = (client: Socket) => {
    const upstream = connect({ host: "127.0.0.1", port: target })
    const pair = [client, upstream] as const
    pairs.add(pair)
    for (const [from, to] of [pair, [upstream, client] as const]) {
      from.on("data", (chunk: Buffer) => {
        if (delayMillis === 0) to.write(chunk)
        else passLate(chunk, from, to)
      })
      from.on("end", () => to.end())
      from.on("error", () => to.destroy())
      from.on("close", () => {
        to.destroy()
        pairs.delete(pair)
      })
      if (stalled) from.pause()
    }
  }
  const server = createServer(accept)
  const listen = (port: number) =>
    Effect.promise(async () => {
      if (!server.listening) await once(server.listen(port, "127.0.0.1"), "listening")
    })
  const close = Effect.promise(async () => {
    for (const [client, upstream] of pairs) {
      client.destroy()
      upstream.destroy()
    }
    if (server.listening) await once(server.close(), "close")
  })
  const set = (mode: { readonly stalled?: boolean; readonly delayMillis?: number }) =>
    Effect.sync(() => {
      stalled = mode.stalled ?? false
      delayMillis = mode.delayMillis ?? 0
      for (const socket of [...pairs].flat()) {
        if (stalled) socket.pause()
        else socket.resume()
      }
    })

  yield* Effect.acquireRelease(listen(0), () => close)
  const address = server.address()
  if (address === null || typeof address === "string") return yield* Effect.die("A TCP server without a port")
  return {
    port: address.port,
    forward: Effect.andThen(set({}), listen(address.port)),
    refuse: Effect.andThen(close, set({})),
    stall: Effect.andThen(listen(address.port), set({ stalled: true })),
    retarget: (port) =>
      Effect.sync(() => {
        target = port
      }),
    delay: (millis) => Effect.andThen(listen(address.port), set({ delayMillis: millis })),
  }
})
