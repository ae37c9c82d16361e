import { FIGURES, type Measured } from "./measure.ts"

const short = (value: number) =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)

/** min–median–max */
const spread = (values: ReadonlyArray<number>) => {
  const sorted = values.toSorted((a, b) => a - b)
  const median = sorted[Math.floor(sorted.length / 2)]
  return [sorted[0], median, sorted.at(-1)].map((value) => short(value ?? Number.NaN)).join("–")
}

/** A row per figure: the ratios of the first to each other one, round by round, then what each of them measured. */
export const table = (results: ReadonlyMap<string, ReadonlyArray<Measured>>): string => {
  const [first, ...others] = [...results]
  if (first === undefined) return ""
  const [name, ours] = first
  const cells = (figure: (typeof FIGURES)[number]) => [
    figure,
    ...others.map(([, theirs]) =>
      spread(ours.map((measured, round) => measured[figure] / (theirs[round]?.[figure] ?? Number.NaN))),
    ),
    ...[ours, ...others.map(([, theirs]) => theirs)].map((rounds) =>
      spread(rounds.map((measured) => measured[figure])),
    ),
  ]
  const head = [
    `live, ${ours.length} rounds`,
    ...others.map(([other]) => `${name} ÷ ${other}`),
    name,
    ...others.map(([other]) => other),
  ]
  return [head, head.map(() => "---"), ...FIGURES.map(cells)]
    .map((row) => `| ${row.join(" | ")} |`)
    .join("\n")
}
