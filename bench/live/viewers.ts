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
      /** The server's address, the own loopback when left out. */
      readonly host?: string
      /** The addresses to come from in turn: each has its own range of ports. */
      readonly from: ReadonlyArray<string>
      /** What they do once they have the first board: `reads` when left out. */
      readonly manner?: Manner
    }
  /** Forgets what was counted. */
  | { readonly _tag: "Reset" }
  | { readonly _tag: "Report" }
  /** Asks how many have not seen this board or a later one; forgets what was counted up to it. */
  | { readonly _tag: "Behind"; readonly topScore: number }

/** Reads all and answers pings; never reads again; or never reads, but sends pongs as if it did. */
export type Manner = "reads" | "never reads" | "only sends pongs"

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
  | {
      readonly _tag: "Behind"
      readonly open: number
      readonly behind: number
      /** When the last viewer got this very board (ms since 1970); undefined when none got it. */
      readonly lastAt: number | undefined
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
const pong = (payload: Buffer) =>
  Buffer.concat([Buffer.from([0x8a, 0x80 | payload.length, 0, 0, 0, 0]), payload])
/** Answers no ping: it carries nothing of one. */
const BLIND_PONG = pong(Buffer.alloc(0))
const PING_OPCODE = 9

/** More often than the hub pings. */
const PONG_EVERY_MILLIS = 10_000

let open = 0
/** The top score of the newest board of each viewer that reads. */
const newest = new Map<Socket, number>()
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
  return topScore
}

/** Stays connected and does not look at what comes. */
const ignore = (socket: Socket, manner: Manner) => {
  newest.delete(socket)
  socket.pause()
  if (manner === "never reads") return
  const pongs = setInterval(() => socket.write(BLIND_PONG), PONG_EVERY_MILLIS)
  socket.on("close", () => clearInterval(pongs))
}

/** Resolves with the first board. */
const view = (command: Extract<Command, { readonly _tag: "Open" }>, from: string) =>
  new Promise<void>((resolve, reject) => {
    const { port, protocol, host = "127.0.0.1", manner = "reads" } = command
    let rest: Buffer | undefined
    let isUpgraded = false
    const onFrame = (socket: Socket, payload: Buffer) => {
      if (payload.length >= BOARD_BYTES) {
        newest.set(socket, count(payload))
        if (manner !== "reads") ignore(socket, manner)
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
        const opcode = (bytes[0] ?? 0) & 0x0f
        if (opcode === 1) onFrame(socket, bytes.subarray(header, header + length))
        else if (opcode === PING_OPCODE) socket.write(pong(bytes.subarray(header, header + length)))
        bytes = bytes.subarray(header + length)
      }
      return bytes
    }
    const socket: Socket = connect({ host, port, localAddress: from, noDelay: true })
    socket.on("data", (chunk) => onBytes(socket, chunk))
    socket.on("error", reject)
    socket.on("close", () => {
      open--
      newest.delete(socket)
    })
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
      await view(command, from)
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, lane))
  return performance.now() - started
}

/** Boards that all have, or that a newer one overtook, need not be kept. */
const behind = (command: Extract<Command, { readonly _tag: "Behind" }>): Report => {
  const lastAt = each.get(command.topScore)?.lastAt
  for (const topScore of each.keys()) if (topScore <= command.topScore) each.delete(topScore)
  const late = [...newest.values()].filter((seen) => seen < command.topScore).length
  return { _tag: "Behind", open, behind: late, lastAt }
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
  } else if (command._tag === "Behind") tell(behind(command))
  else tell({ _tag: "Report", open, boards, each: [...each.values()] })
})

// Their sockets would keep the process for ever when the bench ends without a word.
process.on("disconnect", () => process.exit())
