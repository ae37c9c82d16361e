import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type { IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import { makeAccept, type Refusal, type SocketLimits } from "./SocketHubAccept.ts"
import { makeBroadcast, pingAll } from "./SocketHubBroadcast.ts"
import { drainSockets } from "./SocketHubDrain.ts"
import { makeSockets } from "./SocketHubSockets.ts"
import { type Form, Frames } from "./SocketHubViewer.ts"

export type { Form, Refusal }

/** How often every viewer is pinged. One that leaves two pings unanswered is cut. */
const PING_EVERY = "20 seconds"

/** Owns the open sockets: sends each of them the newest text, and never waits for one of them. */
export class SocketHub extends Context.Service<
  SocketHub,
  {
    /**
     * Takes over an upgraded connection and sends it the newest text at once, in the form it asked for. Or refuses it:
     * this process is full or draining (503), the client's `address` has too many sockets (429), or the request is not a
     * WebSocket handshake (400). Never waits.
     */
    accept(
      request: IncomingMessage,
      socket: Duplex,
      head: Buffer,
      address: string,
      form: Form,
    ): Refusal | undefined

    /**
     * Makes a text the newest one. New connections get it from now on, open ones with the next broadcast. `text` is
     * called once per form, when the first socket needs that form. The same text held again counts as a new one.
     */
    hold(text: (form: Form) => string): Effect.Effect<void>

    /**
     * Sends the newest text to every socket that was not sent it yet. All sockets share one frame per form. A socket
     * that has not read the frame before gets only the newest one, when it has. Never waits for a socket.
     */
    readonly broadcast: Effect.Effect<void>

    /**
     * Refuses new connections and closes every socket with 1012 (service restart), spread over at most `window`. Cuts
     * those that do not answer the close frame within a second. Idempotent.
     */
    drain(window: Duration.Duration): Effect.Effect<void>
  }
>()("scoreboard/services/SocketHub") {
  static readonly config = {
    maxConnections: Config.Int("WEBSOCKET_MAX_CONNECTIONS").pipe(Config.withDefault(20_000)),
    maxPerAddress: Config.Int("WEBSOCKET_MAX_PER_ADDRESS").pipe(Config.withDefault(200)),
  }

  static readonly layer = Layer.effect(
    SocketHub,
    Effect.flatMap(Config.all(SocketHub.config), (limits) => make(limits)),
  )
}

const make = Effect.fnUntraced(function* (limits: SocketLimits) {
  const context = yield* Effect.context<never>()
  const sockets = makeSockets(context)
  yield* Effect.forkScoped(Effect.repeat(Effect.delay(pingAll(sockets), PING_EVERY), Schedule.forever))
  yield* Effect.addFinalizer(() => drainSockets(sockets, Duration.zero))
  return SocketHub.of({
    accept: makeAccept(sockets, limits, context),
    hold: (text) =>
      Effect.sync(() => {
        sockets.audience.newest = new Frames(text)
      }),
    broadcast: makeBroadcast(sockets, context),
    drain: (window) => drainSockets(sockets, window),
  })
})
