import type { BOARD_SIZE, Score, Scores } from "../domain/Score.ts"
import { isCount, isRecord, parseRecord } from "./Json.ts"
import { readStamp, type StampedScores } from "./Stamp.ts"

/** `BOARD_SIZE` of the domain. The client loads no code of the domain, but the type makes sure that both are equal. */
const MAX_PLACES: typeof BOARD_SIZE = 10

const parseScore = (value: unknown): Score | undefined =>
  isRecord(value) && typeof value["email"] === "string" && isCount(value["score"])
    ? { email: value["email"], score: value["score"] }
    : undefined

/**
 * Reads the board from a text frame or from an answer of `GET /scores`. Returns undefined for anything else: not a
 * text, not JSON, another shape, more than ten places, or a score that is not a count. Drops unknown fields. The stamp
 * is undefined if a part of it is missing or malformed.
 */
export const parseStampedBoard = (data: unknown): StampedScores | undefined => {
  const board = typeof data === "string" ? parseRecord(data) : undefined
  const places = board?.["scores"]
  if (board === undefined || !Array.isArray(places) || places.length > MAX_PLACES) return undefined
  const scores = places.map(parseScore)
  return scores.every((score) => score !== undefined) ? { scores, stamp: readStamp(board) } : undefined
}

/** The same, without the stamp. */
export const parseBoard = (data: unknown): Scores | undefined => parseStampedBoard(data)?.scores
