import type { BOARD_SIZE, Score, Scores } from "../domain/Score.ts"
import { isCount, isRecord, parseRecord } from "./Json.ts"

/** The domain's `BOARD_SIZE`, repeated because the client loads none of its code; the type ties the two. */
const MAX_PLACES: typeof BOARD_SIZE = 10

const parseScore = (value: unknown): Score | undefined =>
  isRecord(value) && typeof value["email"] === "string" && isCount(value["score"])
    ? { email: value["email"], score: value["score"] }
    : undefined

/**
 * The scores in a text frame or an answer of `GET /scores`; undefined when it is no board: not text, no JSON,
 * another shape, more than ten places, a score that is no count. Unknown fields are left out.
 */
export const parseBoard = (data: unknown): Scores | undefined => {
  const places = typeof data === "string" ? parseRecord(data)?.["scores"] : undefined
  if (!Array.isArray(places) || places.length > MAX_PLACES) return undefined
  const scores = places.map(parseScore)
  return scores.every((score) => score !== undefined) ? scores : undefined
}
