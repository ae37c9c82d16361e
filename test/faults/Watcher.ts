import * as Effect from "effect/Effect"
import { WebSocket } from "ws"
import { parseBoard } from "../../src/client/BoardGuard.ts"
import type { Scores } from "../../src/domain/Score.ts"

/** Between the end of a connection and the next one, in milliseconds. */
const RECONNECT_MILLIS = 100

/** A viewer of the board who comes back whenever the connection is lost, and remembers every score ever shown. */
export interface Watcher {
  readonly frames: () => number
  readonly connections: () => number
  /** The board of the newest frame of the present connection. */
  readonly newest: () => Scores | undefined
  /** Scores that fell within one connection, and frames that are no board. */
  readonly findings: ReadonlyArray<string>
  /** Scores that were lower after the connection was lost than before. */
  readonly behind: ReadonlyArray<string>
}

/** Watches an API's board until the scope ends. */
export const watch = Effect.fnUntraced(function* (name: string, url: string) {
  const findings: Array<string> = []
  const behind: Array<string> = []
  const ever = new Map<string, number>()
  let frames = 0
  let connections = 0
  let newest: Scores | undefined
  let closed = false
  let socket: WebSocket | undefined
  let timer: NodeJS.Timeout | undefined

  const open = () => {
    const here = new Map<string, number>()
    const opened = new WebSocket(`${url.replace(/^http/, "ws")}/scores/websocket`, {
      handshakeTimeout: 2_000,
    })
    socket = opened
    opened.on("open", () => (connections += 1))
    opened.on("message", (data: Buffer) => {
      frames += 1
      const board = parseBoard(data.toString())
      if (board === undefined)
        return void findings.push(`${name} got no board: ${data.toString().slice(0, 200)}`)
      newest = board
      for (const { email, score } of board) {
        const before = here.get(email) ?? 0
        const overall = ever.get(email) ?? 0
        if (score < before) findings.push(`${name} saw ${email} fall from ${before} to ${score}`)
        else if (score < overall)
          behind.push(`${name} saw ${email} at ${overall}, then at ${score} after coming back`)
        here.set(email, score)
        ever.set(email, Math.max(score, overall))
      }
    })
    // What follows every error is "close".
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
    behind,
  }
  return watcher
})
