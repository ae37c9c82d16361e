import type { BOARD_SIZE, Score, Scores } from "../domain/Score.ts"
import { isCount, isRecord, parseRecord } from "./Json.ts"
import { readStamp, type StampedScores } from "./Stamp.ts"

/** The domain's `BOARD_SIZE`, repeated because the client loads none of its code; the type ties the two. */
const MAX_PLACES: typeof BOARD_SIZE = 10

const parseScore = (value: unknown): Score | undefined =>
  isRecord(value) && typeof value["email"] === "string" && isCount(value["score"])
    ? { email: value["email"], score: value["score"] }
    : undefined

/**
 * The board in a text frame or an answer of `GET /scores`; undefined when it is none: not text, no JSON, another
 * shape, more than ten places, a score that is no count. Unknown fields are left out; a stamp that is not whole is
 * none.
 */
export const parseStampedBoard = (data: unknown): StampedScores | undefined => {
  const board = typeof data === "string" ? parseRecord(data) : undefined
  const places = board?.["scores"]
  if (board === undefined || !Array.isArray(places) || places.length > MAX_PLACES) return undefined
  const scores = places.map(parseScore)
  return scores.every((score) => score !== undefined) ? { scores, stamp: readStamp(board) } : undefined
}

/** The same without the stamp. */
export const parseBoard = (data: unknown): Scores | undefined => parseStampedBoard(data)?.scores
