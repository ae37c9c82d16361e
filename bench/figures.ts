import { readFileSync } from "node:fs"

/** Of /proc/<pid>/stat: the kernel's clock ticks, 100 a second on every Linux that Node runs on. */
const TICK_MICROS = 10_000

/** Processor time that a process has used so far, user and system, in microseconds. */
export const cpuMicros = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
  // The command's name may hold blanks and brackets; the fields behind it do not. 14 and 15 of proc(5).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return (Number(fields[11]) + Number(fields[12])) * TICK_MICROS
}

/** The value below which the share `q` of sorted values lies. */
export const quantile = (sorted: ReadonlyArray<number>, q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN

const short = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)

/** `median (min–max)` */
const spread = (values: ReadonlyArray<number>): string => {
  const sorted = values.toSorted((a, b) => a - b)
  if (sorted.some(Number.isNaN)) return "–"
  const middle = (quantile(sorted, 0.5) + (sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN)) / 2
  const [min, median, max] = [quantile(sorted, 0), middle, quantile(sorted, 1)]
  return sorted.length < 2 ? short(median) : `${short(median)} (${short(min)}–${short(max)})`
}

/** The figures of one run of one system, by name. */
export type Figures = Readonly<Record<string, number>>

/** A B B A …: whatever the machine does meanwhile falls on both. */
export const inTurns = async (
  rounds: number,
  ours: () => Promise<Figures>,
  theirs: () => Promise<Figures>,
): Promise<ReadonlyArray<readonly [ours: Figures, theirs: Figures]>> => {
  const results: Array<readonly [Figures, Figures]> = []
  for (let round = 0; round < rounds; round++) {
    if (round % 2 === 0) {
      const figures = await ours()
      results.push([figures, await theirs()])
    } else {
      const figures = await theirs()
      results.push([await ours(), figures])
    }
  }
  return results
}

/** One row per figure: the ratio to the other system in the same round first, then both medians. */
export const compare = (
  title: string,
  names: readonly [ours: string, theirs: string],
  rounds: ReadonlyArray<readonly [ours: Figures, theirs: Figures]>,
): string => {
  const rows = Object.keys(rounds[0]?.[0] ?? {}).map((name) => {
    const ours = rounds.map(([figures]) => figures[name] ?? Number.NaN)
    const theirs = rounds.map(([, figures]) => figures[name] ?? Number.NaN)
    const ratios = ours.map((value, round) => value / (theirs[round] ?? Number.NaN))
    return `| ${name} | ${spread(ratios)} | ${spread(ours)} | ${spread(theirs)} |`
  })
  return [
    `| ${title} | ${names[0]} ÷ ${names[1]} | ${names[0]} | ${names[1]} |`,
    "| --- | --- | --- | --- |",
    ...rows,
    "",
  ].join("\n")
}
