import type { Scores } from "../domain/Score.ts"
import { versionsAhead } from "../domain/NewerBoard.ts"
import type { StampedScores } from "./Stamp.ts"

/** The board that a viewer sees. */
export interface ViewedBoard extends StampedScores {
  /** When the server last sent or confirmed it, in ms since 1970. */
  readonly confirmedAt: number
}

const isSame = (a: Scores, b: Scores): boolean =>
  a.length === b.length && a.every((x, i) => x.email === b[i]?.email && x.score === b[i]?.score)

/** Without comparable versions, an answer that a cache stored before the shown board was confirmed is not news. */
const isNews = (next: ViewedBoard, shown: ViewedBoard, now: number): boolean => {
  const ahead = versionsAhead(next.stamp, shown.stamp) ?? 0
  if (ahead !== 0) return ahead > 0
  const wasClockSetBack = shown.confirmedAt > now
  return next.confirmedAt >= shown.confirmedAt || wasClockSetBack
}

/**
 * The board to show once `next` has arrived: `shown` itself when `next` is older. If the scores have not changed, the
 * result has the same array as before. `now` is in ms since 1970.
 */
export const newerBoard = (shown: ViewedBoard | undefined, next: ViewedBoard, now: number): ViewedBoard => {
  if (shown === undefined) return next
  if (!isNews(next, shown, now)) return shown
  return isSame(shown.scores, next.scores) ? { ...next, scores: shown.scores } : next
}
