import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { monotonicMillis } from "../../foundation/MonotonicTime.ts"
import { ImportFile, type ImportRecord, type OpenImportFile } from "../../services/ImportFile/ImportFile.ts"
import { type ImportOutcome, type ImportRules, SqlImport } from "../../services/Sql/SqlImport.ts"
import { refuse } from "./AdminRefused.ts"
import { type ImportLine, readImportLine } from "./ImportLine.ts"
import { makeImportPace } from "./ImportPace.ts"
import { describeProgress } from "./ImportProgress.ts"

/** Between two lines of progress on the terminal. */
const PROGRESS_EVERY = "5 seconds"

export interface ImportRequest {
  readonly path: string
  /** Only look what would be done. */
  readonly isDryRun: boolean
  readonly rules: ImportRules
}

/** How many lines of a file came to what; `leftOut` counts the unknown players as well. */
export type ImportSummary = Readonly<Record<Exclude<ImportOutcome, "unknown"> | "lines" | "leftOut", number>>

/** Everything that one run knows. Lines pass through it in the order of the file. */
const makeRun = (file: OpenImportFile, sql: SqlImport["Service"], { isDryRun, rules }: ImportRequest) => {
  const summary = { lines: 0, added: 0, set: 0, repeated: 0, leftOut: 0 }
  const pace = makeImportPace()
  let pending: ReadonlyArray<ImportLine> = []
  let named = 0

  const leaveOut = (line: number, problem: string) => {
    summary.leftOut++
    summary.lines++
    return Console.error(`line ${line}: ${problem}`)
  }

  const importSome = Effect.fnUntraced(function* (lines: ReadonlyArray<ImportLine>) {
    const began = yield* monotonicMillis
    const scores = lines.map(({ score }) => score)
    const outcomes = yield* isDryRun ? sql.plan(scores) : sql.apply(scores, rules)
    for (const [at, { line, addressProblem }] of lines.entries()) {
      const outcome = outcomes[at] ?? "unknown"
      if (outcome === "unknown") {
        yield* leaveOut(line, addressProblem ?? "the player is unknown")
        continue
      }
      summary[outcome]++
      summary.lines++
    }
    yield* Effect.sleep(pace.pauseMillis(lines.length, (yield* monotonicMillis) - began))
  })

  /** Imports what waits, as long as there is enough for a transaction, or, at the end of the file, all of it. */
  const importPending = Effect.fnUntraced(function* (isEnd: boolean) {
    while (pending.length >= (isEnd ? 1 : pace.size())) {
      const some = pending.slice(0, pace.size())
      pending = pending.slice(pace.size())
      yield* importSome(some)
    }
  })

  const take = Effect.fnUntraced(function* (records: ReadonlyArray<ImportRecord>) {
    const names = yield* file.unusedNames
    if (names.length > named) yield* Console.error(`not used: ${names.slice(named).join(", ")}`)
    named = names.length
    const nowMillis = yield* Clock.currentTimeMillis
    const good: Array<ImportLine> = []
    for (const record of records) {
      const read = readImportLine(record, nowMillis)
      if ("problem" in read) {
        yield* leaveOut(read.line, read.problem)
        continue
      }
      const earlier = file.claim(read.score.userId, read.line)
      if (earlier === undefined) good.push(read)
      else yield* leaveOut(read.line, `the id is on line ${earlier} already`)
    }
    pending = [...pending, ...good]
    yield* importPending(false)
  })

  return { summary, take, end: importPending(true) }
}

/** What to do after a failure: nothing is lost, but some scores are imported and some are not. */
const sayHowToContinue = ({ lines }: ImportSummary, { isDryRun }: ImportRequest) =>
  lines === 0 || isDryRun
    ? Effect.void
    : Console.error(`Stopped after ${lines} lines. Run the same command again: what is imported is skipped`)

/** Imports a file, with progress on standard error. A failure says that the command can be repeated. */
export const runImport = Effect.fnUntraced(
  function* (request: ImportRequest) {
    const file = yield* (yield* ImportFile).open(request.path)
    const run = makeRun(file, yield* SqlImport, request)
    const began = yield* monotonicMillis
    const progress = Effect.gen(function* () {
      const seconds = ((yield* monotonicMillis) - began) / 1000
      const read = yield* file.position
      yield* Console.error(describeProgress({ lines: run.summary.lines, seconds, read, size: file.size }))
    })
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(PROGRESS_EVERY), progress)))
    yield* Stream.runForEach(file.records, run.take).pipe(
      Effect.andThen(run.end),
      Effect.onError(() => sayHowToContinue(run.summary, request)),
    )
    yield* progress
    const summary: ImportSummary = run.summary
    return summary
  },
  (importing, { path }) =>
    Effect.scoped(importing).pipe(
      Effect.catchTag("ImportFileFailure", ({ message }) => refuse(`${path}: ${message}`)),
    ),
)
