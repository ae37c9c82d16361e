import * as Effect from "effect/Effect"
import { WebSocket } from "ws"
import { parseStampedBoard } from "../../../src/client/BoardGuard.ts"
import type { StampedScores } from "../../../src/client/Stamp.ts"
import { versionsAhead } from "../../../src/domain/NewerBoard.ts"
import type { Scores } from "../../../src/domain/Score.ts"

/** Between the end of a connection and the next one, in milliseconds. */
const RECONNECT_MILLIS = 100

/**
 * A viewer of the board that reconnects whenever its connection is lost, drops older boards as our client does, and
 * remembers every score that it has shown.
 */
export interface Watcher {
  readonly frames: () => number
  readonly connections: () => number
  /** The board of the newest frame on the current connection. */
  readonly newest: () => Scores | undefined
  /** Scores that fell within a connection or on the viewer's board, and frames that are not a stamped board. */
  readonly findings: ReadonlyArray<string>
  /** How many older boards came after a reconnect and were dropped. */
  readonly dropped: () => number
}

/** Watches an API's board until the scope ends. */
export const watch = Effect.fnUntraced(function* (name: string, url: string) {
  const findings: Array<string> = []
  const ever = new Map<string, number>()
  let shown: StampedScores | undefined
  let dropped = 0
  let frames = 0
  let connections = 0
  let newest: Scores | undefined
  let closed = false
  let socket: WebSocket | undefined
  let timer: NodeJS.Timeout | undefined

  const open = () => {
    const here = new Map<string, number>()
    const opened = new WebSocket(`${url.replace(/^http/, "ws")}/scores/websocket?stamped`, {
      handshakeTimeout: 2_000,
    })
    socket = opened
    opened.on("open", () => (connections += 1))
    opened.on("message", (data: Buffer) => {
      frames += 1
      const board = parseStampedBoard(data.toString())
      if (board?.stamp === undefined)
        return void findings.push(`${name} got no stamped board: ${data.toString().slice(0, 200)}`)
      newest = board.scores
      for (const { email, score } of board.scores) {
        const before = here.get(email) ?? 0
        if (score < before) findings.push(`${name} was sent ${email} at ${before}, then at ${score}`)
        here.set(email, score)
      }
      if ((versionsAhead(board.stamp, shown?.stamp) ?? 0) < 0) {
        dropped += 1
        return
      }
      shown = board
      for (const { email, score } of board.scores) {
        const before = ever.get(email) ?? 0
        if (score < before) findings.push(`${name} showed ${email} at ${before}, then at ${score}`)
        ever.set(email, score)
      }
    })
    // Every "error" is followed by "close".
    opened.on("error", () => undefined)
    opened.on("close", () => {
      newest = undefined
      if (!closed) timer = setTimeout(open, RECONNECT_MILLIS)
    })
  }
  yield* Effect.acquireRelease(Effect.sync(open), () =>
    Effect.sync(() => {
      closed = true
      clearTimeout(timer)
      socket?.terminate()
    }),
  )
  const watcher: Watcher = {
    frames: () => frames,
    connections: () => connections,
    newest: () => newest,
    findings,
    dropped: () => dropped,
  }
  return watcher
})
