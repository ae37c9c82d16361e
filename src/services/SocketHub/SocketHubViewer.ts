import { WebSocket } from "ws"
import { randomInt } from "node:crypto"
import { Socket } from "node:net"
import type { Duplex } from "node:stream"

/** The service stops and will be back: "Service Restart" in the registry of RFC 6455. */
const CLOSE_SERVICE_RESTART = 1012

/**
 * A viewer that is behind is cut when it has more unread bytes than this. A board has about 500 bytes, at most 21 KiB
 * with ten addresses of the 2,048 characters that Cognito allows. The kernel buffers more on top.
 */
const MAX_UNREAD_BYTES = 64 * 1024

/** The number of unanswered pings after which a viewer is cut. */
const MAX_MISSED_PINGS = 2

/**
 * A ping carries a number of this many bytes, and its pong has to repeat it (RFC 6455, 5.5.3). V8 stores numbers below
 * 2^31 inside an object, without an allocation.
 */
const NONCE_BYTES = 4
const NONCES = 2 ** 31

const pingFrame = (nonce: number): Buffer => {
  const frame = Buffer.allocUnsafe(2 + NONCE_BYTES)
  frame[0] = 0x89
  frame[1] = NONCE_BYTES
  frame.writeUInt32BE(nonce, 2)
  return frame
}
const NOTHING = Buffer.alloc(0)

/**
 * A text as one unmasked WebSocket frame (RFC 6455, 5.2), which can be written to any number of sockets. Valid only
 * without per-message compression.
 */
const textFrame = (text: string): Buffer => {
  const bytes = Buffer.byteLength(text)
  const header = bytes < 126 ? 2 : bytes < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafeSlow(header + bytes)
  frame[0] = 0x81
  if (header === 2) frame[1] = bytes
  else if (header === 4) {
    frame[1] = 126
    frame.writeUInt16BE(bytes, 2)
  } else {
    frame[1] = 127
    frame.writeBigUInt64BE(BigInt(bytes), 2)
  }
  frame.write(text, header)
  return frame
}

/** The form in which a viewer wants its boards. */
export type Form = "plain" | "stamped"

/** One board as frames. Each form is encoded when the first viewer needs it; all viewers then share it. */
export class Frames {
  readonly #text: (form: Form) => string
  readonly #frames: { [form in Form]?: Buffer } = {}

  constructor(text: (form: Form) => string) {
    this.#text = text
  }

  in(form: Form): Buffer {
    return (this.#frames[form] ??= textFrame(this.#text(form)))
  }
}

/** What a viewer needs from its hub. One object for all viewers, because a byte per viewer counts thousands of times. */
export interface Audience {
  /** What every viewer should have. */
  newest: Frames | undefined
  /** A viewer has not read the frame before, and the next one came. */
  readonly behind: () => void
  /** A viewer is being cut. */
  readonly cut: (reason: "silent" | "unread") => void
  /** The connection of a viewer has ended; `isAnswered` when the peer sent a close frame. */
  readonly gone: (viewer: Viewer, isAnswered: boolean) => void
}

/** The connection ended without a close frame: RFC 6455, 7.1.5. */
const ABNORMAL_CLOSURE = 1006

// All viewers share these listeners: closures would take memory for every socket.
function onPong(this: WebSocket, data: Buffer): void {
  if (this instanceof Viewer) this.hear(data)
}
function onClose(this: WebSocket, code: number): void {
  if (this instanceof Viewer) this.audience?.gone(this, code !== ABNORMAL_CLOSURE)
}
// An error of a peer ends its own socket only: ws closes it, and destroys it if the close takes too long.
const onError = (): void => {}

/** One open socket. At most one frame is being sent to it, and the newest one waits behind it. */
export class Viewer extends WebSocket {
  audience: Audience | undefined
  /** The client's address, by which sockets are counted. */
  address = ""
  private missedPings = 0
  /** The number that the next pong has to repeat. A pong with it proves that the peer reads its pings. */
  private nonce = 0
  private form: Form = "plain"
  private socket: Duplex | undefined
  private sent: Frames | undefined
  /** The frame that was still being sent at the last ping. */
  private stalledOn: Frames | undefined
  private isBehind = false

  /** Joins the audience and writes the newest frame right after the handshake. */
  join(audience: Audience, socket: Duplex, address: string, form: Form): void {
    this.audience = audience
    this.socket = socket
    this.address = address
    this.form = form
    this.on("pong", onPong)
    this.on("close", onClose)
    this.on("error", onError)
    const { newest } = audience
    if (newest === undefined) return
    this.sent = newest
    socket.write(newest.in(form))
  }

  /** Writes the newest frame, or waits until the peer has read what it was sent before. Once per frame. */
  sendNewest(): void {
    const { socket } = this
    const newest = this.audience?.newest
    if (newest === undefined || socket === undefined || newest === this.sent) return
    if (this.readyState !== WebSocket.OPEN) return
    if (socket.writableLength === 0) {
      this.sent = newest
      // Without a callback, a write that the kernel takes at once, as nearly all do, costs no turn of the event loop.
      socket.write(newest.in(this.form))
      return
    }
    if (this.isBehind) {
      if (socket.writableLength > MAX_UNREAD_BYTES) this.cut("unread")
      return
    }
    this.isBehind = true
    this.audience?.behind()
    // An empty write ends when everything before it was sent. Its callback sends the frame that is newest then.
    socket.write(NOTHING, (error) => {
      this.isBehind = false
      if (error == null) this.sendNewest()
    })
  }

  /** Pings the viewer. Cuts it when it did not answer the last pings, or reads nothing any more. */
  askForLife(): void {
    const { socket } = this
    if (socket === undefined || this.readyState !== WebSocket.OPEN) return
    if (this.missedPings >= MAX_MISSED_PINGS) return this.cut("silent")
    // A ping behind unread bytes would only add to them.
    if (socket.writableLength > 0) {
      if (this.stalledOn === this.sent) return this.cut("unread")
      this.stalledOn = this.sent
      return
    }
    this.stalledOn = undefined
    // A repeated ping has the same number, so that a late pong counts.
    if (this.missedPings === 0) this.nonce = randomInt(NONCES)
    this.missedPings++
    socket.write(pingFrame(this.nonce))
  }

  /** Takes a pong. It counts only when it repeats the number of a ping. */
  hear(pong: Buffer): void {
    if (pong.length === NONCE_BYTES && pong.readUInt32BE() === this.nonce) this.missedPings = 0
  }

  /**
   * Ends the connection at once, with a reset. After an orderly end the kernel would store the unread bytes for minutes,
   * without a limit for all connections together, for a peer that is gone or does not read.
   */
  override terminate(): void {
    if (this.socket instanceof Socket) this.socket.resetAndDestroy()
    super.terminate()
  }

  /** Sends a close frame that asks the client to reconnect. */
  leave(): void {
    this.close(CLOSE_SERVICE_RESTART, "Service restart")
  }

  private cut(reason: "silent" | "unread"): void {
    this.audience?.cut(reason)
    this.terminate()
  }
}
