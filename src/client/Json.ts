export type JsonRecord = Readonly<Record<string, unknown>>

/** The object that a text is; undefined when it is no JSON, or JSON of another kind. */
export const parseRecord = (text: string): JsonRecord | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}

export const isRecord = (value: unknown): value is JsonRecord => typeof value === "object" && value !== null

/** Whether a value is a score, a rank or a number of players: an integer that is exact, from 0. */
export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0
