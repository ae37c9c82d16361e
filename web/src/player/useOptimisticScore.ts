import { useRef } from "preact/hooks"
import type { BoardView } from "../../../src/client/ScoreboardClient.ts"
import type { PlayerView } from "../../../src/client/Player.ts"

/** A counted press is on the board well within this time; a lower board after it is the truth. */
const SETTLE_MS = 3_000

/**
 * The viewer's score as it will be when the presses in the air are counted: at once on a press, back when one
 * fails, and what the board says as soon as nothing is in the air. Undefined outside the board.
 */
export const useOptimisticScore = (
  board: BoardView,
  player: PlayerView,
  onBoard: number | undefined,
): number | undefined => {
  const claimed = player.counted + player.pending
  const last = useRef({ claimed, floor: 0, changedAt: 0 })
  if (onBoard === undefined) {
    last.current = { claimed, floor: 0, changedAt: 0 }
    return undefined
  }
  let { floor, changedAt } = last.current
  const gained = claimed - last.current.claimed
  if (gained > 0) floor = Math.max(floor, onBoard) + gained
  if (gained < 0) floor += gained
  if (gained !== 0) changedAt = Date.now()
  if (player.pending === 0 && (board.confirmedAt ?? 0) > changedAt + SETTLE_MS) floor = 0
  last.current = { claimed, floor, changedAt }
  return Math.max(onBoard, floor)
}
