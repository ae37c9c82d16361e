import type { BoardPlace } from "../../../src/client/StandingRequest.ts"
import { type StampedScores, versionsAhead } from "../../../src/client/Stamp.ts"
import type { BOARD_SIZE, Scores } from "../../../src/domain/Score.ts"

/** What is known of the signed-in player. */
export interface Viewer {
  /** What the player typed at the sign-in. */
  readonly email: string
  /** The player's score as last read; undefined until then. */
  readonly score: number | undefined
  /** As last read; undefined until then, and if the server does not send it. */
  readonly place: BoardPlace | undefined
}

/** A row that was certainly the viewer's, and the only one with its address. */
interface Proof {
  readonly viewer: string
  readonly stamp: StampedScores["stamp"]
  readonly email: string
  readonly score: number
}

export interface OwnPlace {
  /** The row of the viewer, counted from 0; -1 if the viewer is not on the board; undefined if that is not certain. */
  readonly at: number | undefined
  /** Pass this with the next board. */
  readonly proof: Proof | undefined
}

/** `BOARD_SIZE` of the domain. The page loads no code of the domain, but the type makes sure that both are equal. */
const PLACES: typeof BOARD_SIZE = 10

const UNKNOWN: OwnPlace = { at: undefined, proof: undefined }

/**
 * Finds the row of the viewer, and never takes the row of somebody else with the same address. The place that the server
 * gave is certain on the board with the same stamp. On a later board, the row is certain if the last certain row proves
 * it; `before` is what an earlier call returned. Only for a server that gives no place, the address decides.
 */
export const ownPlace = (
  board: StampedScores,
  viewer: Viewer | undefined,
  before: Proof | undefined,
): OwnPlace => {
  if (viewer === undefined) return UNKNOWN
  const { place, email } = viewer
  if (place === undefined) return { at: placeByAddress(board.scores, viewer), proof: undefined }
  const proof = before?.viewer === email ? before : undefined
  const ahead = versionsAhead(board.stamp, place.stamp)
  if (ahead === 0) return placeFromServer(board, email, place.place)
  // Since the last certain row, the viewer has left the board. Only the server can tell when that ends.
  if (place.place === undefined && (ahead ?? 1) > 0) return UNKNOWN
  return { at: proof && placeByProof(board, proof), proof }
}

const placeFromServer = (
  { scores, stamp }: StampedScores,
  viewer: string,
  place: number | undefined,
): OwnPlace => {
  if (place === undefined) return { at: -1, proof: undefined }
  const row = scores[place - 1]
  if (row === undefined) return UNKNOWN
  const isUnique = scores.filter(({ email }) => email === row.email).length === 1
  return { at: place - 1, proof: isUnique ? { ...row, viewer, stamp } : undefined }
}

/**
 * Scores only grow, unless an operator corrects or hides one, and then the next answer of the server tells. So a viewer who had more points than the last row now has
 * is still on the board. If only one row has the viewer's address, that row is the viewer's. So is a row with the same
 * address and exactly the score of the proof: anybody else who reached that score earlier stood above the viewer then,
 * and who reached it later stands below the viewer now.
 */
const placeByProof = ({ scores, stamp }: StampedScores, proof: Proof): number | undefined => {
  if ((versionsAhead(stamp, proof.stamp) ?? -1) < 0) return undefined
  const [row, ...others] = scores.filter(({ email }) => email === proof.email)
  if (row === undefined || others.length > 0) return undefined
  const isStillThere = scores.length < PLACES || proof.score > (scores.at(-1)?.score ?? 0)
  return isStillThere || row.score === proof.score ? scores.indexOf(row) : undefined
}

/** Replaces the hidden part of an address if the server masks addresses: `a…e@example.com`. */
const MASK = "…"

/** A masked row may differ from the player's score by this much, because at most 20 presses are pending at a time. */
const MAX_PENDING = 20

const matchesMask = (shown: string, own: string): boolean => {
  // Only a player without an address has no other character, and the viewer has one.
  if (shown === MASK) return false
  const [head, tail, ...more] = shown.split(MASK)
  return head !== undefined && tail !== undefined && more.length === 0
    ? own.length >= head.length + tail.length && own.startsWith(head) && own.endsWith(tail)
    : false
}

/**
 * For a server that gives no place. Upper and lower case do not matter, because people type addresses in either. If
 * several rows have the address, none is certain. A masked address may match several rows; then the viewer's row is the
 * one whose score is closest to the viewer's.
 */
const placeByAddress = (scores: Scores, viewer: Viewer): number | undefined => {
  // Until the first answer, it is unknown whether the server gives a place.
  if (viewer.score === undefined) return undefined
  const own = viewer.email.toLowerCase()
  const rows = scores.flatMap(({ email }, at) => (email.toLowerCase() === own ? [at] : []))
  if (rows.length > 0) return rows.length === 1 ? rows[0] : undefined
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
