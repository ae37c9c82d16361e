import { randomBytes } from "node:crypto"
import { connect } from "node:net"

/** One frame from the server. */
export interface Frame {
  readonly opcode: number
  readonly payload: Buffer
}

export const TEXT = 0x1
export const CLOSE = 0x8
export const PING = 0x9
export const PONG = 0xa

/** The masked frame that a client sends; `payload` is taken as it is. */
export const clientFrame = (opcode: number, payload: Buffer, options: { readonly final?: boolean } = {}) => {
  const mask = randomBytes(4)
  const length =
    payload.length < 126
      ? Buffer.from([0x80 | payload.length])
      : Buffer.from([0x80 | 126, payload.length >> 8, payload.length & 0xff])
  const first = Buffer.from([(options.final === false ? 0 : 0x80) | opcode])
  return Buffer.concat([first, length, mask, payload.map((byte, at) => byte ^ (mask[at % 4] ?? 0))])
}

/** Takes whole frames off the front of `bytes`. */
const takeFrames = (bytes: Buffer, frames: Array<Frame>): Buffer => {
  let rest = bytes
  while (rest.length >= 2) {
    const short = (rest[1] ?? 0) & 0x7f
    const header = short < 126 ? 2 : short === 126 ? 4 : 10
    if (rest.length < header) break
    const length =
      short < 126 ? short : short === 126 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2))
    if (rest.length < header + length) break
    frames.push({ opcode: (rest[0] ?? 0) & 0x0f, payload: rest.subarray(header, header + length) })
    rest = rest.subarray(header + length)
  }
  return rest
}

/** A WebSocket client of bare TCP: it reads, answers and misbehaves only as the test says. */
export const rawPeer = async (options: {
  readonly port: number
  /** Another loopback address counts as another visitor. */
  readonly from?: string
  /** Sent behind the handshake without waiting for its answer. */
  readonly early?: Buffer
  /** What it asks for; by default the address of the brief. */
  readonly path?: string
}) => {
  const socket = connect({
    host: "127.0.0.1",
    port: options.port,
    ...(options.from === undefined ? {} : { localAddress: options.from }),
  })
  const frames: Array<Frame> = []
  let head = ""
  let rest: Buffer = Buffer.alloc(0)
  let isClosed = false
  let wake: (() => void) | undefined
  const answered = Promise.withResolvers<void>()
  socket.on("data", (chunk) => {
    rest = Buffer.concat([rest, chunk])
    if (head === "") {
      const end = rest.indexOf("\r\n\r\n")
      if (end === -1) return
      head = rest.subarray(0, end).toString()
      rest = rest.subarray(end + 4)
      answered.resolve()
    }
    rest = takeFrames(rest, frames)
    wake?.()
  })
  // A reset is one of the ways in which a server ends a connection.
  socket.on("error", () => {})
  socket.on("close", () => {
    isClosed = true
    answered.resolve()
    wake?.()
  })
  socket.write(
    [
      `GET ${options.path ?? "/scores/websocket"} HTTP/1.1`,
      "Host: localhost",
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Version: 13",
      `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
      "\r\n",
    ].join("\r\n"),
  )
  if (options.early !== undefined) socket.write(options.early)
  await answered.promise

  /** Waits until `isSo` holds, looked at after everything that arrives; throws after 10 s. */
  const until = async (isSo: () => boolean, what: string) => {
    const limit = performance.now() + 10_000
    while (!isSo()) {
      const left = limit - performance.now()
      if (left <= 0) throw new Error(`A peer waited in vain for ${what}`)
      const woken = Promise.withResolvers<void>()
      wake = woken.resolve
      const timer = setTimeout(woken.resolve, Math.min(left, 20))
      await woken.promise
      clearTimeout(timer)
    }
  }

  return {
    status: Number(head.split(" ")[1]),
    head,
    socket,
    frames,
    texts: () => frames.flatMap(({ opcode, payload }) => (opcode === TEXT ? [payload.toString()] : [])),
    closeCode: () => frames.find(({ opcode }) => opcode === CLOSE)?.payload.readUInt16BE(0),
    isClosed: () => isClosed,
    until,
    closed: () => until(() => isClosed, "the end of its connection"),
    heard: (text: string) => until(() => frames.at(-1)?.payload.toString() === text, JSON.stringify(text)),
  }
}
export type RawPeer = Awaited<ReturnType<typeof rawPeer>>
