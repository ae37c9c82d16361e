import type { BOARD_SIZE, Score, Scores } from "../domain/Score.ts"

/** The domain's `BOARD_SIZE`, repeated because the client loads none of its code; the type ties the two. */
const MAX_PLACES: typeof BOARD_SIZE = 10

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null

const parseScore = (value: unknown): Score | undefined =>
  isRecord(value) &&
  typeof value["email"] === "string" &&
  typeof value["score"] === "number" &&
  Number.isSafeInteger(value["score"]) &&
  value["score"] >= 0
    ? { email: value["email"], score: value["score"] }
    : undefined

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * The scores in a text frame or an answer of `GET /scores`; undefined when it is no board: not text, no JSON,
 * another shape, more than ten places, a score that is no count. Unknown fields are left out.
 */
export const parseBoard = (data: unknown): Scores | undefined => {
  const board = typeof data === "string" ? parseJson(data) : undefined
  if (!isRecord(board) || !Array.isArray(board["scores"])) return undefined
  if (board["scores"].length > MAX_PLACES) return undefined
  const scores = board["scores"].map(parseScore)
  return scores.every((score) => score !== undefined) ? scores : undefined
}
