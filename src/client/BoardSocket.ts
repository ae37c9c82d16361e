import type { Scores } from "../domain/Score.ts"
import { parseBoard } from "./BoardGuard.ts"
import type { Environment } from "./Environment.ts"

/** The server repeats the board after 15 s of silence; two repeats lost and some slack mean a dead path. */
const SILENCE_LIMIT_MS = 40_000

/** From the dial to the first board, which the server sends at once. */
const FIRST_BOARD_LIMIT_MS = 10_000

/** How often the clock is read, so that a machine that slept notices within this time of waking. */
const WATCH_STEP_MS = 5_000

export interface BoardSocketHandlers {
  /** A board arrived. */
  readonly onBoard: (scores: Scores) => void
  /** The connection is over: refused, closed or silent. At most once, and nothing after it. */
  readonly onEnd: () => void
}

/**
 * One connection to the live board. A frame that is no board is ignored and does not count as a sign of life.
 * The returned function closes it without calling `onEnd`, and leaves no timer and no listener.
 */
export const openBoardSocket = (
  environment: Environment,
  url: string,
  handlers: BoardSocketHandlers,
): (() => void) => {
  const socket = environment.openSocket(url)
  let heardAt = environment.now()
  let limitMs = FIRST_BOARD_LIMIT_MS
  let cancelWatch = () => {}

  const onMessage = (event: { readonly data: unknown }) => {
    const scores = parseBoard(event.data)
    if (scores === undefined) return
    heardAt = environment.now()
    limitMs = SILENCE_LIMIT_MS
    handlers.onBoard(scores)
  }

  // A dead peer never answers the close handshake, so nothing here waits for its `close` event.
  const stop = () => {
    cancelWatch()
    socket.removeEventListener("message", onMessage)
    socket.removeEventListener("close", onEnd)
    socket.removeEventListener("error", onEnd)
    socket.close()
  }
  const onEnd = () => {
    stop()
    handlers.onEnd()
  }

  const watch = () => {
    const now = environment.now()
    heardAt = Math.min(heardAt, now)
    const leftMs = heardAt + limitMs - now
    if (leftMs <= 0) onEnd()
    else cancelWatch = environment.after(Math.min(leftMs, WATCH_STEP_MS), watch)
  }

  socket.addEventListener("message", onMessage)
  socket.addEventListener("close", onEnd)
  socket.addEventListener("error", onEnd)
  watch()
  return stop
}
