import { IMPORT_FIELDS, type ImportRecord } from "./ImportFile.ts"
import { LONGEST_RECORD, type TextLine } from "./ImportFileLines.ts"

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** A number becomes its digits as they are written: 1e3 and 9007199254740993 would else pass for other numbers. */
const asWritten = (key: string, value: unknown, context?: { readonly source?: string }): unknown =>
  key === "score" && typeof value === "number" ? (context?.source ?? String(value)) : value

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text, asWritten)
  } catch {
    return undefined
  }
}

const recordOf = (line: number, text: string, unused: (name: string) => void): ImportRecord => {
  const object = parse(text)
  if (!isObject(object)) return { line, problem: "it is not an object in JSON" }
  for (const name of Object.keys(object)) {
    if (!IMPORT_FIELDS.some((field) => field === name)) unused(name)
  }
  const values: Record<string, string> = {}
  for (const field of IMPORT_FIELDS) {
    const value = object[field] ?? ""
    if (typeof value !== "string") {
      return { line, problem: field === "score" ? "the score is not an integer" : `${field} is not a text` }
    }
    if (value !== "") values[field] = value
  }
  return { line, values }
}

/** One record for each line that is not blank; tells the names that an import does not read. */
export async function* ndjsonRecords(
  blocks: AsyncIterable<ReadonlyArray<TextLine>>,
  unused: (name: string) => void,
): AsyncGenerator<ReadonlyArray<ImportRecord>> {
  for await (const block of blocks) {
    yield block.flatMap(({ number, text }) => {
      if (text === undefined) return [{ line: number, problem: `it is longer than ${LONGEST_RECORD} bytes` }]
      return text.trim() === "" ? [] : [recordOf(number, text, unused)]
    })
  }
}
