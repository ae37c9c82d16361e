import type { Scores } from "../../../src/domain/Score.ts"

/** A signed-in player, as far as a row of the board can tell one. */
export interface Viewer {
  readonly email: string
  /** The own score as last known; undefined until then. */
  readonly score: number | undefined
}

/** Stands for the hidden part of an address where the operator masks them: `a…e@example.com`. */
const MASK = "…"

/** A masked row may be this far from the own score: more presses than this are never in the air. */
const IN_THE_AIR = 20

const matchesMask = (shown: string, own: string): boolean => {
  const [head, tail, ...more] = shown.split(MASK)
  return head !== undefined && tail !== undefined && more.length === 0
    ? own.length >= head.length + tail.length && own.startsWith(head) && own.endsWith(tail)
    : false
}

/**
 * Which row is the viewer's, from 0; -1 when none is. Addresses differ in nothing but case when people type them.
 * Masked ones may stand for several players: the viewer is the one whose score is nearest to the own.
 */
export const ownPlace = (scores: Scores, viewer: Viewer | undefined): number => {
  if (viewer === undefined) return -1
  const own = viewer.email.toLowerCase()
  const place = scores.findIndex(({ email }) => email.toLowerCase() === own)
  if (place !== -1 || viewer.score === undefined) return place
  let best = -1
  let distance = IN_THE_AIR + 1
  for (const [at, { email, score }] of scores.entries()) {
    const away = Math.abs(score - viewer.score)
    if (matchesMask(email.toLowerCase(), own) && away < distance) {
      best = at
      distance = away
    }
  }
  return best
}
