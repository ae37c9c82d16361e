import { WebSocket } from "ws"
import { randomInt } from "node:crypto"
import { Socket } from "node:net"
import type { Duplex } from "node:stream"

/** The service is going away and will be back: RFC 6455 registry, "Service Restart". */
const CLOSE_SERVICE_RESTART = 1012

/**
 * Unread bytes past which a viewer that is behind is cut. A board has about 500 bytes, at most 21 KiB with ten
 * addresses of the 2,048 characters that Cognito allows; the kernel holds more on top.
 */
const MAX_UNREAD_BYTES = 64 * 1024

/** Unanswered pings after which a viewer is cut. */
const MAX_MISSED_PINGS = 2

/**
 * A ping carries a number of this many bytes, which its pong has to repeat (RFC 6455, 5.5.3): as many numbers as V8
 * keeps inside an object.
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
 * A text as one unmasked WebSocket frame (RFC 6455, 5.2), ready to be written to any number of sockets. Right
 * only without per-message compression.
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

/** How a viewer wants its boards. */
export type Form = "plain" | "stamped"

/** One board as frames: each form is encoded when the first viewer needs it, and then shared by all. */
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

/** What a viewer needs of its hub: one object for all viewers, since each byte here counts thousands of times. */
export interface Audience {
  /** What everybody should have. */
  newest: Frames | undefined
  /** A viewer had not read the frame before when the next one came. */
  readonly behind: () => void
  /** A viewer is being cut. */
  readonly cut: (reason: "silent" | "unread") => void
  /** A viewer's connection has ended; `isAnswered` when the peer took part in that. */
  readonly gone: (viewer: Viewer, isAnswered: boolean) => void
}

/** No close frame came: RFC 6455, 7.1.5. */
const ABNORMAL_CLOSURE = 1006

// Shared by all viewers: a closure per listener would be kept for every socket.
function onPong(this: WebSocket, data: Buffer): void {
  if (this instanceof Viewer) this.hear(data)
}
function onClose(this: WebSocket, code: number): void {
  if (this instanceof Viewer) this.audience?.gone(this, code !== ABNORMAL_CLOSURE)
}
// What a peer does wrong ends its own socket: ws closes it after the error, and destroys it when that takes long.
const onError = (): void => {}

/** One open socket: has at most one frame on its way, and the newest one waiting behind it. */
export class Viewer extends WebSocket {
  audience: Audience | undefined
  /** By whom it counts. */
  address = ""
  private missedPings = 0
  /** What the next pong has to repeat: a pong that does proves that the pings were read. */
  private nonce = 0
  private form: Form = "plain"
  private socket: Duplex | undefined
  private sent: Frames | undefined
  /** What was on its way at the last ping, and had not left. */
  private stalledOn: Frames | undefined
  private isBehind = false

  /** Joins the audience and writes the newest frame right behind the handshake. */
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

  /** Writes the newest frame, or leaves it for when the peer has read what it already has. Once per frame. */
  sendNewest(): void {
    const { socket } = this
    const newest = this.audience?.newest
    if (newest === undefined || socket === undefined || newest === this.sent) return
    if (this.readyState !== WebSocket.OPEN) return
    if (socket.writableLength === 0) {
      this.sent = newest
      // No callback: a write that the kernel takes at once, as nearly all do, then costs no turn of its own.
      socket.write(newest.in(this.form))
      return
    }
    if (this.isBehind) {
      if (socket.writableLength > MAX_UNREAD_BYTES) this.cut("unread")
      return
    }
    this.isBehind = true
    this.audience?.behind()
    // Written when all before it has left: its callback is the moment to send what is newest then.
    socket.write(NOTHING, (error) => {
      this.isBehind = false
      if (error == null) this.sendNewest()
    })
  }

  /** Asks for a sign of life; cuts the viewer when the last ones stayed unanswered, or nothing more leaves. */
  askForLife(): void {
    const { socket } = this
    if (socket === undefined || this.readyState !== WebSocket.OPEN) return
    if (this.missedPings >= MAX_MISSED_PINGS) return this.cut("silent")
    // Behind unread bytes a ping would only add to them, and a pong proves no reading.
    if (socket.writableLength > 0) {
      if (this.stalledOn === this.sent) return this.cut("unread")
      this.stalledOn = this.sent
      return
    }
    this.stalledOn = undefined
    // Asked again it is the same, so that a late answer counts.
    if (this.missedPings === 0) this.nonce = randomInt(NONCES)
    this.missedPings++
    socket.write(pingFrame(this.nonce))
  }

  /** Takes a pong: a sign of life when it answers a ping. */
  hear(pong: Buffer): void {
    if (pong.length === NONCE_BYTES && pong.readUInt32BE() === this.nonce) this.missedPings = 0
  }

  /**
   * Ends the connection at once, with a reset: after an orderly end the kernel would keep what is unread, for minutes
   * and without bound on all of them, for a peer that is gone or does not read.
   */
  override terminate(): void {
    if (this.socket instanceof Socket) this.socket.resetAndDestroy()
    super.terminate()
  }

  /** Asks the peer to come back later. */
  leave(): void {
    this.close(CLOSE_SERVICE_RESTART, "Service restart")
  }

  private cut(reason: "silent" | "unread"): void {
    this.audience?.cut(reason)
    this.terminate()
  }
}
