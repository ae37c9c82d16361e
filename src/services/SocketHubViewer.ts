import type { Duplex } from "node:stream"
import type { WebSocket } from "ws"

/** The service is going away and will be back: RFC 6455 registry, "Service Restart". */
const CLOSE_SERVICE_RESTART = 1012

/** Unread bytes past which a viewer is cut: its peer has stopped reading, and the kernel holds more on top. */
const MAX_UNREAD_BYTES = 64 * 1024

/** Unanswered pings after which a viewer is cut. */
const MAX_MISSED_PINGS = 2

const EMPTY_PING = Buffer.from([0x89, 0x00])

/**
 * A text as one unmasked WebSocket frame (RFC 6455, 5.2), ready to be written to any number of sockets. Right
 * only without per-message compression.
 */
export const textFrame = (text: string): Buffer => {
  const bytes = Buffer.byteLength(text)
  const header = bytes < 126 ? 2 : bytes < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafe(header + bytes)
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

/** One open socket: has at most one frame on its way, and the newest one waiting behind it. */
export class Viewer {
  private readonly ws: WebSocket
  private readonly socket: Duplex
  private readonly newest: () => Buffer | undefined
  private readonly onCut: (reason: string) => void
  private writing = false
  private behind = false
  private missedPings = 0

  constructor(
    ws: WebSocket,
    socket: Duplex,
    newest: () => Buffer | undefined,
    onCut: (reason: string) => void,
  ) {
    this.ws = ws
    this.socket = socket
    this.newest = newest
    this.onCut = onCut
    // What a peer does wrong ends its own socket: ws closes it after the error.
    ws.on("error", () => this.ws.terminate())
    ws.on("pong", () => {
      this.missedPings = 0
    })
  }

  /** Writes the newest frame, or leaves it for when the peer has read what it already has. */
  sendNewest(): void {
    const frame = this.newest()
    if (frame === undefined || this.ws.readyState !== this.ws.OPEN) return
    if (this.writing) {
      this.behind = true
      return
    }
    this.writing = true
    this.socket.write(frame, this.written)
  }

  private readonly written = (): void => {
    this.writing = false
    if (!this.behind) return
    this.behind = false
    this.sendNewest()
  }

  /** Asks for a sign of life; cuts the viewer when the last ones stayed unanswered. */
  ping(): void {
    if (this.ws.readyState !== this.ws.OPEN) return
    if (this.missedPings >= MAX_MISSED_PINGS) return this.cut("silent")
    if (this.socket.writableLength > MAX_UNREAD_BYTES) return this.cut("unread")
    this.missedPings++
    this.socket.write(EMPTY_PING)
  }

  /** Asks the peer to come back later. */
  close(): void {
    this.ws.close(CLOSE_SERVICE_RESTART, "Service restart")
  }

  /** Ends the connection without a handshake. */
  cut(reason: string): void {
    this.onCut(reason)
    this.ws.terminate()
  }
}
