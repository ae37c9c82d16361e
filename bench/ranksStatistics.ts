import { performance } from "node:perf_hooks"
import { readFileSync } from "node:fs"
import * as Effect from "effect/Effect"

/** The value below which this share (0 to 1) of the samples lies. */
export const quantile = (samples: ReadonlyArray<number>, share: number): number => {
  const sorted = samples.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** Minimum, median and maximum: the form in which every ratio is reported. */
export const spread = (values: ReadonlyArray<number>, digits: number): string =>
  [quantile(values, 0), quantile(values, 0.5), quantile(values, 1)]
    .map((value) => value.toFixed(digits))
    .join(" – ")

/** Runs an effect and gives how many milliseconds it took. */
export const milliseconds = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const begun = performance.now()
    return Effect.map(effect, () => performance.now() - begun)
  })

/** CPU milliseconds of a process so far, user and system; Linux, in steps of 10 ms. */
export const cpuOf = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
  // Fields 14 and 15 of proc_pid_stat(5), in ticks of 10 ms; the name before them, in parentheses, may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return (Number(fields[11]) + Number(fields[12])) * 10
}
