import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Metric from "effect/Metric"
import type { IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import { WebSocketServer } from "ws"
import { labelledCounter } from "../../foundation/LabelledCounter.ts"
import { CLOSE_GRACE } from "./SocketHubDrain.ts"
import type { OpenSockets } from "./SocketHubSockets.ts"
import { type Form, Viewer } from "./SocketHubViewer.ts"

/** Clients send control frames only; a larger message than this closes the connection (1009). */
const MAX_MESSAGE_BYTES = 1024

const accepted = Metric.counter("websocket_accepted_total", {
  description: "Sockets opened.",
  incremental: true,
})
const REASONS = ["draining", "full", "address", "malformed"] as const
const refusals = labelledCounter({
  name: "websocket_refused_total",
  description: "Upgrades refused, by reason.",
  label: "reason",
  values: REASONS,
})

/** Why an upgrade is refused: `status` and `title` are the HTTP answer, `headers` are whole lines. */
export interface Refusal {
  readonly status: number
  readonly title: string
  readonly headers: ReadonlyArray<string>
}

const RETRY_AFTER = ["Retry-After: 5"]
const UNAVAILABLE: Refusal = { status: 503, title: "Service Unavailable", headers: RETRY_AFTER }
const TOO_MANY: Refusal = { status: 429, title: "Too Many Requests", headers: RETRY_AFTER }
const MALFORMED: Refusal = { status: 400, title: "Bad Request", headers: ["Sec-WebSocket-Version: 13"] }

/** How many sockets may be open. */
export interface SocketLimits {
  readonly maxConnections: number
  readonly maxPerAddress: number
}

/** The WebSocket handshake without a server of its own: false when a request is not a valid one. */
const makeHandshake = () => {
  // A variable, because its types do not know `closeTimeout` yet.
  const options = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
    closeTimeout: Duration.toMillis(CLOSE_GRACE),
    WebSocket: Viewer,
  }
  const server = new WebSocketServer(options)
  let malformed = false
  // With this listener ws leaves the answer to us. It calls the listener before `handleUpgrade` returns.
  server.on("wsClientError", () => {
    malformed = true
  })
  return (
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    onOpen: (viewer: Viewer) => void,
  ): boolean => {
    malformed = false
    server.handleUpgrade(request, socket, head, onOpen)
    return !malformed
  }
}

/** Opens a socket within the limits, or says why not. */
export const makeAccept = (sockets: OpenSockets, limits: SocketLimits, context: Context.Context<never>) => {
  const handshake = makeHandshake()
  const refuse = (reason: (typeof REASONS)[number], refusal: Refusal) => {
    refusals.addUnsafe(reason, context)
    return refusal
  }
  return (
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    address: string,
    form: Form,
  ): Refusal | undefined => {
    if (sockets.draining) return refuse("draining", UNAVAILABLE)
    if (sockets.viewers.size >= limits.maxConnections) return refuse("full", UNAVAILABLE)
    if (sockets.countOf(address) >= limits.maxPerAddress) return refuse("address", TOO_MANY)
    // The handshake and the first board leave as one packet. All of this is synchronous.
    socket.cork()
    const opened = handshake(request, socket, head, (viewer) => {
      sockets.add(viewer, address)
      accepted.updateUnsafe(1, context)
      viewer.join(sockets.audience, socket, address, form)
    })
    socket.uncork()
    return opened ? undefined : refuse("malformed", MALFORMED)
  }
}
