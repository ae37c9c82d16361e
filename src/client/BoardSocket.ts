import { parseStampedBoard } from "./BoardGuard.ts"
import type { Environment } from "./Environment.ts"
import type { StampedScores } from "./Stamp.ts"

/** The server repeats the board after 15 s without a change, so this is two lost repeats and some slack. */
const SILENCE_LIMIT_MS = 40_000

/** From the dial to the first board, which the server sends as soon as the socket opens. */
const FIRST_BOARD_LIMIT_MS = 10_000

/** How often the clock is checked: a device that slept notices the lost connection within this time of waking. */
const WATCH_STEP_MS = 5_000

export interface BoardSocketHandlers {
  /** A board arrived. Returns false if it is older than the board on show. */
  readonly onBoard: (board: StampedScores) => boolean
  /** The connection was refused or closed, or brought no news for too long. Called at most once, and last. */
  readonly onEnd: () => void
}

/**
 * Opens one connection to the live board. It ends after 40 s without news. Frames that are not a board do not count as
 * news, and neither do older boards: a server that sends only those has lost its own updates, and another server may
 * still have them. The returned function closes the connection without calling `onEnd` and leaves no timer or listener;
 * it may be called more than once.
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

  // A dead server never completes the closing handshake, so this does not wait for the `close` event.
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
