import type { Scores } from "../../../src/domain/Score.ts"

/** What is needed to find a signed-in player on the board. */
export interface Viewer {
  readonly email: string
  /** The player's score as last read; undefined until then. */
  readonly score: number | undefined
}

/** Replaces the hidden part of an address if the server masks addresses: `a…e@example.com`. */
const MASK = "…"

/** A masked row may differ from the player's score by this much, because at most 20 presses are pending at a time. */
const MAX_PENDING = 20

const matchesMask = (shown: string, own: string): boolean => {
  const [head, tail, ...more] = shown.split(MASK)
  return head !== undefined && tail !== undefined && more.length === 0
    ? own.length >= head.length + tail.length && own.startsWith(head) && own.endsWith(tail)
    : false
}

/**
 * The row of the viewer, counted from 0; -1 if there is none. Upper and lower case do not matter, because people type
 * addresses in either. A masked address may match several rows; then the viewer's row is the one whose score is closest
 * to the viewer's.
 */
export const ownPlace = (scores: Scores, viewer: Viewer | undefined): number => {
  if (viewer === undefined) return -1
  const own = viewer.email.toLowerCase()
  const place = scores.findIndex(({ email }) => email.toLowerCase() === own)
  if (place !== -1 || viewer.score === undefined) return place
  let best = -1
  let distance = MAX_PENDING + 1
  for (const [at, { email, score }] of scores.entries()) {
    const away = Math.abs(score - viewer.score)
    if (matchesMask(email.toLowerCase(), own) && away < distance) {
      best = at
      distance = away
    }
  }
  return best
}
