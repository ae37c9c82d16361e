export type JsonRecord = Readonly<Record<string, unknown>>

/** Parses a text as a JSON object. Returns undefined if it is not JSON, or JSON of another kind. */
export const parseRecord = (text: string): JsonRecord | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}

export const isRecord = (value: unknown): value is JsonRecord => typeof value === "object" && value !== null

/** Whether a value can be a score, a rank or a number of players: a safe integer, 0 or larger. */
export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0
