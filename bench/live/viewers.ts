import { randomBytes } from "node:crypto"
import { connect, type Socket } from "node:net"

/**
 * A process of viewers, forked by the bench: bare TCP clients that count the boards they get, so that the machine
 * is left to the server. Speaks raw WebSocket, and the few frames of Socket.IO that a viewer needs.
 */
export type Command =
  | {
      readonly _tag: "Open"
      readonly port: number
      readonly count: number
      readonly protocol: "websocket" | "socket.io"
      /** The loopback addresses to come from in turn: each has its own range of ports. */
      readonly from: ReadonlyArray<string>
    }
  /** Forgets what was counted. */
  | { readonly _tag: "Reset" }
  | { readonly _tag: "Report" }

export type Report =
  | { readonly _tag: "Opened"; readonly millis: number }
  | { readonly _tag: "Reset" }
  | {
      readonly _tag: "Report"
      readonly open: number
      /** Boards counted by all viewers together. */
      readonly boards: number
      /** Of each board since `Reset`: how many viewers have it, and when the last of them got it (ms since 1970). */
      readonly each: ReadonlyArray<Arrival>
    }

export interface Arrival {
  readonly topScore: number
  viewers: number
  lastAt: number
}

/** Handshakes under way at one time. */
const CONCURRENCY = 64

/** A frame this long holds a board; shorter ones are Socket.IO's own. */
const BOARD_BYTES = 200

/** A masked text frame; the mask is zero, so the text stands as it is. */
const textFrame = (text: string) =>
  Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)])
const JOIN = textFrame("40")
const HEARTBEAT = textFrame("3")

let open = 0
const each = new Map<number, Arrival>()
let boards = 0

const now = () => performance.timeOrigin + performance.now()

/** What stands before the first score of a board, and how many digits that has. */
const SCORE = '"score":'
const DIGITS = 7

const count = (payload: Buffer) => {
  const at = payload.indexOf(SCORE) + SCORE.length
  const topScore = Number(payload.toString("latin1", at, at + DIGITS))
  let arrival = each.get(topScore)
  if (arrival === undefined) {
    arrival = { topScore, viewers: 0, lastAt: 0 }
    each.set(topScore, arrival)
  }
  arrival.viewers++
  arrival.lastAt = now()
  boards++
}

/** Resolves with the first board. */
const view = (port: number, protocol: "websocket" | "socket.io", from: string) =>
  new Promise<void>((resolve, reject) => {
    let rest: Buffer | undefined
    let isUpgraded = false
    const onFrame = (socket: Socket, payload: Buffer) => {
      if (payload.length >= BOARD_BYTES) {
        count(payload)
        return resolve()
      }
      if (protocol === "websocket") return
      if (payload[0] === 0x30) socket.write(JOIN)
      else if (payload[0] === 0x32) socket.write(HEARTBEAT)
    }
    const onBytes = (socket: Socket, chunk: Buffer) => {
      let bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk])
      if (!isUpgraded) {
        const end = bytes.indexOf("\r\n\r\n")
        if (end !== -1) {
          isUpgraded = bytes.toString("latin1", 9, 12) === "101"
          if (!isUpgraded) return reject(new Error(bytes.toString("latin1", 0, end)))
          bytes = bytes.subarray(end + 4)
        }
      }
      if (isUpgraded) bytes = onFrames(socket, bytes)
      rest = bytes.length === 0 ? undefined : Buffer.from(bytes)
    }
    const onFrames = (socket: Socket, chunk: Buffer) => {
      let bytes = chunk
      while (bytes.length >= 2) {
        const short = (bytes[1] ?? 0) & 0x7f
        const header = short < 126 ? 2 : 4
        if (bytes.length < header) break
        const length = short < 126 ? short : bytes.readUInt16BE(2)
        if (bytes.length < header + length) break
        if (((bytes[0] ?? 0) & 0x0f) === 1) onFrame(socket, bytes.subarray(header, header + length))
        bytes = bytes.subarray(header + length)
      }
      return bytes
    }
    const socket: Socket = connect({ host: "127.0.0.1", port, localAddress: from, noDelay: true })
    socket.on("data", (chunk) => onBytes(socket, chunk))
    socket.on("error", reject)
    socket.on("close", () => open--)
    open++
    const path = protocol === "websocket" ? "/scores/websocket" : "/socket.io/?EIO=4&transport=websocket"
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n\r\n`,
    )
  })

const openAll = async (command: Extract<Command, { readonly _tag: "Open" }>) => {
  const started = performance.now()
  let left = command.count
  const lane = async () => {
    while (left-- > 0) {
      const from = command.from[left % command.from.length] ?? "127.0.0.1"
      await view(command.port, command.protocol, from)
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, lane))
  return performance.now() - started
}

const tell = (report: Report) => void process.send?.(report)

process.on("message", (command: Command) => {
  if (command._tag === "Open") {
    openAll(command).then(
      (millis) => tell({ _tag: "Opened", millis }),
      (error: unknown) => {
        console.error(error)
        process.exit(1)
      },
    )
  } else if (command._tag === "Reset") {
    each.clear()
    boards = 0
    tell({ _tag: "Reset" })
  } else tell({ _tag: "Report", open, boards, each: [...each.values()] })
})
