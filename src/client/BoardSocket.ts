import { parseStampedBoard } from "./BoardGuard.ts"
import type { Environment } from "./Environment.ts"
import type { StampedScores } from "./Stamp.ts"

/** The server repeats the board after 15 s of silence; two repeats lost and some slack mean a dead path. */
const SILENCE_LIMIT_MS = 40_000

/** From the dial to the first board, which the server sends at once. */
const FIRST_BOARD_LIMIT_MS = 10_000

/** How often the clock is read, so that a machine that slept notices within this time of waking. */
const WATCH_STEP_MS = 5_000

export interface BoardSocketHandlers {
  /** A board arrived. Returns false for one that is older than the board on show. */
  readonly onBoard: (board: StampedScores) => boolean
  /** The connection is over: refused, closed, silent or behind. At most once, and nothing after it. */
  readonly onEnd: () => void
}

/**
 * One connection to the live board. A frame that is no board is ignored and does not count as a sign of life; nor
 * does an older board: who sends nothing else for as long as silence is borne is cut off from the news, and another
 * process may not be.
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
    const board = parseStampedBoard(event.data)
    if (board === undefined) return
    limitMs = SILENCE_LIMIT_MS
    if (handlers.onBoard(board)) heardAt = environment.now()
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
