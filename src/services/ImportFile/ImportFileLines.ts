import { isUtf8 } from "node:buffer"
import { ImportFileFailure } from "./ImportFile.ts"

/** No line and no record is longer, in bytes: it bounds the memory, and an id, an address and a score take a hundredth. */
export const LONGEST_RECORD = 65_536

/** One line without its end. */
export interface TextLine {
  /** Counted from 1. */
  readonly number: number
  /** Undefined if the line is longer than `LONGEST_RECORD`. */
  readonly text: string | undefined
}

const LINE_FEED = 0x0a
const BYTE_ORDER_MARK = "\uFEFF"

const utf8 = (bytes: Buffer, firstLine: number): string => {
  if (isUtf8(bytes)) return bytes.toString("utf8")
  let line = firstLine
  for (let from = 0; from < bytes.length; line++) {
    const end = bytes.indexOf(LINE_FEED, from)
    const next = end === -1 ? bytes.length : end + 1
    if (!isUtf8(bytes.subarray(from, next))) break
    from = next
  }
  throw new ImportFileFailure({
    message: `Line ${line} is not UTF-8: convert the file, for example with iconv`,
  })
}

/** Makes lines of whole lines of bytes, and counts them. */
const makeLines = () => {
  let number = 1
  return (bytes: Buffer): ReadonlyArray<TextLine> => {
    const text = utf8(bytes, number)
    const from = number === 1 && text.startsWith(BYTE_ORDER_MARK) ? 1 : 0
    const end = text.endsWith("\n") ? text.length - 1 : text.length
    return text
      .slice(from, end)
      .split("\n")
      .map((line) => ({
        number: number++,
        text: line.length > LONGEST_RECORD ? undefined : line.endsWith("\r") ? line.slice(0, -1) : line,
      }))
  }
}

/** Stands for a line that is too long, so that no piece of it needs to be kept. */
const TOO_LONG = Buffer.alloc(LONGEST_RECORD + 1, "x")

/** The lines of a file, one block for each piece that was read. Ends of lines are LF or CRLF; a byte order mark is left out. */
export async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<ReadonlyArray<TextLine>> {
  const lines = makeLines()
  /** The beginning of a line whose end was not read yet. */
  let begun: Buffer = Buffer.alloc(0)
  for await (const chunk of chunks) {
    const from = begun === TOO_LONG ? chunk.indexOf(LINE_FEED) : 0
    if (from === -1) continue
    const bytes = Buffer.concat([begun, chunk.subarray(from)])
    const end = bytes.lastIndexOf(LINE_FEED) + 1
    if (end > 0) yield lines(bytes.subarray(0, end))
    begun = bytes.length - end > LONGEST_RECORD ? TOO_LONG : bytes.subarray(end)
  }
  if (begun.length > 0) yield lines(begun)
}
