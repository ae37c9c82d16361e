import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import type { IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import { WebSocketServer } from "ws"
import { labelledCounter } from "../../foundation/LabelledCounter.ts"
import { type Audience, type Form, Frames, Viewer } from "./SocketHubViewer.ts"

/** Clients send nothing but control frames; more than this closes the connection (1009). */
const MAX_MESSAGE_BYTES = 1024

/** A ping this often; a viewer that let two of them pass unanswered is gone. */
const PING_EVERY = "20 seconds"

/** Sockets written to before other work gets its turn: 64 writes take less than a millisecond. */
const SOCKETS_PER_TURN = 64

/** Closes of a drain are spread by this much each, so that clients do not return as one wave. */
const DRAIN_MILLIS_PER_SOCKET = 1

/** How long a closed viewer has to answer the close frame before it is cut. */
const CLOSE_GRACE = Duration.seconds(1)

const connected = Metric.gauge("websocket_connections", { description: "Open sockets." })
const accepted = Metric.counter("websocket_accepted_total", {
  description: "Sockets opened.",
  incremental: true,
})
const REFUSALS = ["draining", "full", "address", "malformed"] as const
const refusals = labelledCounter({
  name: "websocket_refused_total",
  description: "Upgrades refused, by reason.",
  label: "reason",
  values: REFUSALS,
})
const CUTS = ["silent", "unread", "drain"] as const
const cut = labelledCounter({
  name: "websocket_cut_total",
  description: "Sockets cut, by reason.",
  label: "reason",
  values: CUTS,
})
const broadcasts = Metric.counter("websocket_broadcasts_total", {
  description: "Boards sent to every socket.",
  incremental: true,
})

const behind = Metric.counter("websocket_behind_total", {
  description: "Sockets that had not read the board before when the next one came.",
  incremental: true,
})

export type { Form }

/** Why an upgrade is refused: `status` and `title` are the HTTP answer. */
export interface Refusal {
  readonly status: number
  readonly title: string
  readonly headers: ReadonlyArray<string>
}

export class SocketHub extends Context.Service<
  SocketHub,
  {
    /**
     * Takes over an upgraded connection and sends it the newest text at once, in the form it asked for; or refuses
     * it: this process is full or draining (503), `address` (the client's, as limits count it) has too many sockets
     * (429), or it is no WebSocket handshake (400).
     */
    accept(
      request: IncomingMessage,
      socket: Duplex,
      head: Buffer,
      address: string,
      form: Form,
    ): Refusal | undefined

    /**
     * Makes a text the newest: whoever connects gets it from now on, the others by the next broadcast. `text` is
     * asked once for each form that a socket wants, when the first one does. Held again it counts as another text.
     */
    hold(text: (form: Form) => string): Effect.Effect<void>

    /**
     * Sends the newest text to every socket that was not sent it yet. One frame of a form serves all; a socket that
     * has not read the last one gets only the newest when it has. Never waits for a socket.
     */
    readonly broadcast: Effect.Effect<void>

    /**
     * Refuses newcomers and closes every socket with 1012 (service restart), spread over at most `window`; cuts
     * those that do not answer. Idempotent.
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

const RETRY_AFTER = ["Retry-After: 5"]
const DRAINING: Refusal = { status: 503, title: "Service Unavailable", headers: RETRY_AFTER }
const TOO_MANY: Refusal = { status: 429, title: "Too Many Requests", headers: RETRY_AFTER }
const MALFORMED: Refusal = { status: 400, title: "Bad Request", headers: ["Sec-WebSocket-Version: 13"] }

const make = Effect.fnUntraced(function* (limits: {
  readonly maxConnections: number
  readonly maxPerAddress: number
}) {
  const context = yield* Effect.context<never>()
  // Named first: its types do not know `closeTimeout` yet.
  const options = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
    closeTimeout: Duration.toMillis(CLOSE_GRACE),
    WebSocket: Viewer,
  }
  const server = new WebSocketServer(options)
  // With a listener ws leaves the answer to us. It is called before `handleUpgrade` returns.
  let malformed = false
  server.on("wsClientError", () => {
    malformed = true
  })
  const viewers = new Set<Viewer>()
  const perAddress = new Map<string, number>()
  let draining = false

  const refuse = (reason: (typeof REFUSALS)[number], refusal: Refusal) => {
    refusals.addUnsafe(reason, context)
    return refusal
  }
  const lose = (reason: (typeof CUTS)[number]) => cut.addUnsafe(reason, context)

  const audience: Audience = {
    newest: undefined,
    behind: () => behind.updateUnsafe(1, context),
    cut: lose,
    gone: (viewer, isAnswered) => {
      viewers.delete(viewer)
      const left = (perAddress.get(viewer.address) ?? 1) - 1
      if (left === 0) perAddress.delete(viewer.address)
      else perAddress.set(viewer.address, left)
      connected.updateUnsafe(viewers.size, context)
      if (draining && !isAnswered) lose("drain")
    },
  }

  const accept = (
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    address: string,
    form: Form,
  ): Refusal | undefined => {
    if (draining) return refuse("draining", DRAINING)
    if (viewers.size >= limits.maxConnections) return refuse("full", DRAINING)
    if ((perAddress.get(address) ?? 0) >= limits.maxPerAddress) return refuse("address", TOO_MANY)
    malformed = false
    // The handshake and the first board leave as one packet. All of this is synchronous.
    socket.cork()
    server.handleUpgrade(request, socket, head, (viewer) => {
      viewers.add(viewer)
      perAddress.set(address, (perAddress.get(address) ?? 0) + 1)
      accepted.updateUnsafe(1, context)
      connected.updateUnsafe(viewers.size, context)
      viewer.join(audience, socket, address, form)
    })
    socket.uncork()
    return malformed ? refuse("malformed", MALFORMED) : undefined
  }

  // A turn of the event loop between the chunks: `yieldNow` waits for a `setImmediate`, so I/O comes in between.
  const forEachViewer = Effect.fnUntraced(function* (visit: (viewer: Viewer) => void, isDone: () => boolean) {
    let turn = 0
    for (const viewer of viewers) {
      visit(viewer)
      if (++turn % SOCKETS_PER_TURN !== 0) continue
      yield* Effect.yieldNow
      if (isDone()) return
    }
  })

  const hold = (text: (form: Form) => string) =>
    Effect.sync(() => {
      audience.newest = new Frames(text)
    })

  // A broadcast that a newer one overtakes stops: its successor goes to everybody anyway. What is held meanwhile
  // goes to the sockets that are still to come; the others get it by the next one.
  let begun = 0
  const broadcast = Effect.suspend(() => {
    const turn = ++begun
    broadcasts.updateUnsafe(1, context)
    return forEachViewer(
      (viewer) => viewer.sendNewest(),
      () => begun !== turn,
    )
  })

  const ping = forEachViewer(
    (viewer) => viewer.askForLife(),
    () => draining,
  )
  yield* Effect.forkScoped(Effect.repeat(Effect.delay(ping, PING_EVERY), Schedule.forever))

  const drain = Effect.fnUntraced(function* (window: Duration.Duration) {
    draining = true
    const count = viewers.size
    const spread = Math.min(Duration.toMillis(window), count * DRAIN_MILLIS_PER_SOCKET)
    const started = yield* Clock.currentTimeMillis
    let closed = 0
    for (const viewer of viewers) {
      viewer.leave()
      closed++
      const ahead = (spread * closed) / Math.max(1, count) - ((yield* Clock.currentTimeMillis) - started)
      if (ahead > 5) yield* Effect.sleep(ahead)
      else if (closed % SOCKETS_PER_TURN === 0) yield* Effect.yieldNow
    }
    const allGone = Effect.sleep("10 millis").pipe(Effect.repeat({ while: () => viewers.size > 0 }))
    if (viewers.size > 0) yield* Effect.timeoutOption(allGone, CLOSE_GRACE)
    for (const viewer of viewers) viewer.terminate()
  })
  yield* Effect.addFinalizer(() => drain(Duration.zero))

  return SocketHub.of({
    accept,
    hold,
    broadcast,
    drain,
  })
})
