import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { createReadStream } from "node:fs"
import { stat } from "node:fs/promises"
import { ImportFile, ImportFileFailure, type OpenImportFile } from "./ImportFile.ts"
import { csvRecords } from "./ImportFileCsv.ts"
import { makeImportFileIds } from "./ImportFileIds.ts"
import { linesOf } from "./ImportFileLines.ts"
import { ndjsonRecords } from "./ImportFileNdjson.ts"

/** Bytes that are read at a time: some hundreds of records. */
const CHUNK_BYTES = 32_768

/** Names of unused columns that are kept: objects of NDJSON may all have different ones. */
const UNUSED_NAMES = 20

const FORMATS = [
  { name: /\.csv$/i, records: csvRecords },
  { name: /\.(?:ndjson|jsonl)$/i, records: ndjsonRecords },
]

const failure = (cause: unknown): ImportFileFailure => {
  if (cause instanceof ImportFileFailure) return cause
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined
  if (code === "ENOENT") return new ImportFileFailure({ message: "There is no such file" })
  if (code === "EACCES") return new ImportFileFailure({ message: "The file must not be read by this user" })
  return new ImportFileFailure({
    message: `The file cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
  })
}

const open = Effect.fnUntraced(function* (path: string) {
  const format = FORMATS.find(({ name }) => name.test(path))
  if (format === undefined) {
    return yield* new ImportFileFailure({
      message: "The format is unknown: the name must end with .csv or .ndjson",
    })
  }
  const file = yield* Effect.tryPromise({ try: () => stat(path), catch: failure })
  if (!file.isFile()) return yield* new ImportFileFailure({ message: "This is not a file" })
  if (file.size === 0) return yield* new ImportFileFailure({ message: "The file is empty" })

  const names = new Set<string>()
  const unused = (name: string) => {
    if (names.size < UNUSED_NAMES) names.add(name)
  }
  const bytes = yield* Effect.acquireRelease(
    Effect.sync(() => createReadStream(path, { highWaterMark: CHUNK_BYTES })),
    (stream) => Effect.sync(() => stream.destroy()),
  )
  const opened: OpenImportFile = {
    size: file.size,
    position: Effect.sync(() => bytes.bytesRead),
    unusedNames: Effect.sync(() => [...names]),
    records: Stream.fromAsyncIterable(format.records(linesOf(bytes), unused), failure),
    claim: makeImportFileIds(),
  }
  return opened
})

/** Files of the machine on which the process runs. */
export const layer = Layer.succeed(ImportFile, { open })
