import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"

/** The columns of a file, and the names in an object of NDJSON, that an import reads. */
export const IMPORT_FIELDS = ["id", "email", "score", "reachedAt"] as const
type ImportField = (typeof IMPORT_FIELDS)[number]

/** The file cannot be read, or not any further. `message` is one line for the operator, and holds no value of the file. */
export class ImportFileFailure extends Data.TaggedError("ImportFileFailure")<{
  readonly message: string
}> {}

/** One record: its values as they are written, of which none is empty; or what is wrong with its form. */
export type ImportRecord = {
  /** Where the record begins, counted from 1; the header and empty lines count. */
  readonly line: number
} & (
  | { readonly values: Readonly<Partial<Record<ImportField, string>>>; readonly problem?: undefined }
  | { readonly problem: string }
)

/** A file while it is read. */
export interface OpenImportFile {
  /** Bytes. */
  readonly size: number
  /** How many bytes were read so far. */
  readonly position: Effect.Effect<number>
  /** Names in the file that an import does not read, as far as they are known yet; at most 20 of them. */
  readonly unusedNames: Effect.Effect<ReadonlyArray<string>>
  /** All records in the order of the file, some hundreds at a time. Reads no further than is asked for. */
  readonly records: Stream.Stream<ReadonlyArray<ImportRecord>, ImportFileFailure>
  /** Gives the line under which this id was claimed before; without one, claims it for this line. */
  claim(id: string, line: number): number | undefined
}

/** A file of scores on the operator's machine: CSV or NDJSON, by its name. */
export class ImportFile extends Context.Service<
  ImportFile,
  {
    /** Fails when there is no such file, or it is empty, or its name says neither format, or it has no header. */
    open(path: string): Effect.Effect<OpenImportFile, ImportFileFailure, Scope.Scope>
  }
>()("scoreboard/services/ImportFile") {}
