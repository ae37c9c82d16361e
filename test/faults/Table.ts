import type { Result } from "./Run.ts"

const COLUMNS: ReadonlyArray<readonly [title: string, cell: (result: Result) => number]> = [
  ["seed", ({ seed }) => seed],
  ["faults", ({ faults }) => faults.length],
  ["kills", ({ faults }) => faults.filter((fault) => fault.startsWith("kill")).length],
  ["actions", ({ keys }) => keys],
  ["attempts", ({ attempts }) => attempts],
  ["503", ({ outcomes }) => outcomes["503"] ?? 0],
  ["no answer", ({ outcomes }) => (outcomes["broken"] ?? 0) + (outcomes["silent"] ?? 0)],
  ["slowest, ms", ({ slowestMillis }) => slowestMillis],
  ["all accepted, ms", ({ acceptedMillis }) => acceptedMillis],
  ["board everywhere, ms", ({ shownMillis }) => shownMillis],
  ["outbox empty, ms", ({ drainedMillis }) => drainedMillis],
  ["frames", ({ frames }) => frames],
  ["older, dropped", ({ dropped }) => dropped],
  ["findings", ({ findings }) => findings.length],
]

const line = (cells: ReadonlyArray<string | number>) => `| ${cells.join(" | ")} |`

/** One seed's line of the table. */
export const row = (result: Result): string => line(COLUMNS.map(([, cell]) => cell(result)))

/** The results as a table in Markdown, one line per seed. */
export const table = (results: ReadonlyArray<Result>): string =>
  [line(COLUMNS.map(([title]) => title)), line(COLUMNS.map(() => "---:")), ...results.map(row)].join("\n")
