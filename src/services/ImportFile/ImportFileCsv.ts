import { parse } from "csv-parse/sync"
import { IMPORT_FIELDS, ImportFileFailure, type ImportRecord } from "./ImportFile.ts"
import { LONGEST_RECORD, type TextLine } from "./ImportFileLines.ts"

/** A record that is complete: its text may have several lines, for a quoted value may. */
interface CsvText {
  readonly line: number
  readonly text: string
}

type Row = ReadonlyArray<string>

const HEADER = "the columns id and score, and email and reachedAt if there are any"

const quotesIn = (text: string): number => {
  let quotes = 0
  for (let at = text.indexOf('"'); at !== -1; at = text.indexOf('"', at + 1)) quotes++
  return quotes
}

/** The rows of complete records; undefined where the parser refuses one. Many at a time are read more quickly. */
const rowsOf = (records: ReadonlyArray<CsvText>): ReadonlyArray<Row | undefined> => {
  try {
    const rows: ReadonlyArray<Row> = parse(records.map(({ text }) => text).join("\n"), {
      relax_column_count: true,
      record_delimiter: "\n",
    })
    if (rows.length === records.length) return rows
  } catch {
    // One of them is wrong: each by itself shows which.
  }
  return records.length > 1 ? records.flatMap((record) => rowsOf([record])) : [undefined]
}

/** Which column holds which field, by the first row. */
const readHeader = (row: Row | undefined, unused: (name: string) => void) => {
  const names = (row ?? []).map((name) => name.trim())
  for (const field of IMPORT_FIELDS) {
    if (names.indexOf(field) !== names.lastIndexOf(field)) {
      throw new ImportFileFailure({ message: `The header names the column ${field} twice` })
    }
  }
  if (!names.includes("id") || !names.includes("score")) {
    throw new ImportFileFailure({ message: `The first line must be a header that names ${HEADER}` })
  }
  for (const name of names) if (!IMPORT_FIELDS.some((field) => field === name)) unused(name)
  const columns = IMPORT_FIELDS.map((field) => [field, names.indexOf(field)] as const)
  return { width: names.length, columns: columns.filter(([, at]) => at !== -1) }
}
type Header = ReturnType<typeof readHeader>

const recordOf = ({ width, columns }: Header, line: number, row: Row): ImportRecord => {
  if (row.length !== width) {
    return { line, problem: `the number of its values is ${row.length}, that of the header ${width}` }
  }
  const values = Object.fromEntries(columns.map(([field, at]) => [field, row[at] ?? ""] as const))
  return { line, values: Object.fromEntries(Object.entries(values).filter(([, value]) => value !== "")) }
}

const QUOTES = "its quotes are not those of CSV"

/** What the reader knows between two blocks of lines. */
class CsvReader {
  private header: Header | undefined
  /** Lines that were read and belong to no record yet, from `next` on. */
  private lines: Array<TextLine> = []
  private next = 0
  private readonly unused: (name: string) => void

  constructor(unused: (name: string) => void) {
    this.unused = unused
  }

  /** Takes lines and gives the records that they complete; `isEnd`: no more lines follow. */
  read(block: ReadonlyArray<TextLine>, isEnd: boolean): ReadonlyArray<ImportRecord> {
    this.lines = [...this.lines.slice(this.next), ...block]
    this.next = 0
    const found: Array<ImportRecord> = []
    for (;;) {
      const records = this.takeSingleLines()
      found.push(...this.recordsOf(records))
      const line = this.lines[this.next]
      if (line === undefined) return found
      if (line.text === undefined) {
        found.push(this.leftOut(line.number, `it is longer than ${LONGEST_RECORD} bytes`))
        continue
      }
      const several = this.takeSeveralLines(isEnd)
      if (several === undefined) return found
      const [row] = several === "unclosed" ? [undefined] : rowsOf([several])
      // A quote that nobody closed ends at the next one, somewhere in the file: only its own line is left out.
      const isWhole = row !== undefined && (this.header === undefined || row.length === this.header.width)
      if (several === "unclosed" || !isWhole) {
        found.push(this.leftOut(line.number, QUOTES))
        continue
      }
      this.next += several.text.split("\n").length
      found.push(...this.rowRecords(several.line, row))
    }
  }

  /** The records of one line each that come next. */
  private takeSingleLines(): ReadonlyArray<CsvText> {
    const records: Array<CsvText> = []
    for (let line = this.lines[this.next]; line?.text !== undefined; line = this.lines[++this.next]) {
      if (quotesIn(line.text) % 2 === 1) break
      if (line.text.trim() !== "") records.push({ line: line.number, text: line.text })
    }
    return records
  }

  /** The record that begins at the next line and goes on in the following ones; undefined when these were not read yet. */
  private takeSeveralLines(isEnd: boolean): CsvText | "unclosed" | undefined {
    const [first, ...rest] = this.lines.slice(this.next, this.next + LONGEST_RECORD)
    let text = first?.text ?? ""
    for (const line of rest) {
      if (line.text === undefined || text.length + line.text.length >= LONGEST_RECORD) return "unclosed"
      text += `\n${line.text}`
      if (quotesIn(line.text) % 2 === 1) return { line: first?.number ?? 0, text }
    }
    return isEnd ? "unclosed" : undefined
  }

  private leftOut(line: number, problem: string): ImportRecord {
    if (this.header === undefined) readHeader(undefined, this.unused)
    this.next++
    return { line, problem }
  }

  private recordsOf(records: ReadonlyArray<CsvText>): ReadonlyArray<ImportRecord> {
    const rows = rowsOf(records)
    return records.flatMap(({ line }, at) => this.rowRecords(line, rows[at]))
  }

  private rowRecords(line: number, row: Row | undefined): ReadonlyArray<ImportRecord> {
    if (this.header === undefined) {
      this.header = readHeader(row, this.unused)
      return []
    }
    return [row === undefined ? { line, problem: QUOTES } : recordOf(this.header, line, row)]
  }

  /** Fails when there was no header. */
  end() {
    if (this.header === undefined) readHeader(undefined, this.unused)
  }
}

/**
 * The records of a CSV file (RFC 4180) after its header, whose columns may have any order. A record whose quotes are
 * wrong loses one line, and reading goes on with the next.
 */
export async function* csvRecords(
  blocks: AsyncIterable<ReadonlyArray<TextLine>>,
  unused: (name: string) => void,
): AsyncGenerator<ReadonlyArray<ImportRecord>> {
  const reader = new CsvReader(unused)
  for await (const block of blocks) yield reader.read(block, false)
  yield reader.read([], true)
  reader.end()
}
