import { type Dependency, PROCESSES, type ProcessName } from "../support/system/Names.ts"

/** A fault, and what it hits. */
export type Fault =
  | { readonly kind: "kill"; readonly process: ProcessName }
  | { readonly kind: "restart"; readonly engine: "postgres"; readonly how: "fast" | "immediate" }
  | { readonly kind: "restart"; readonly engine: "redis"; readonly how: "flushed" }
  | { readonly kind: "flush" }
  | {
      readonly kind: "network"
      /** Undefined = all processes. */
      readonly process: ProcessName | undefined
      readonly dependency: Dependency
      readonly how: "cut" | "refuse" | "stall" | "delay"
    }

/** A fault, when it begins after the start of the load, and how long it lasts; in milliseconds. */
export interface PlannedFault {
  readonly atMillis: number
  readonly forMillis: number
  readonly fault: Fault
}

/** Random numbers in [0, 1), the same for the same seed (mulberry32). */
export const makeRandom = (seed: number) => {
  let state = (seed * 0x9e3779b1) >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** The longest time between two faults: half a second on average, so that several are active at the same time. */
const GAP_MILLIS = 1_000

/** A short fault hits a single answer; a long one is longer than every time limit of a call. */
const SHORTEST_MILLIS = 50
const LONGEST_MILLIS = 3_500

/** The faults of a run, in the order of their times: the same for the same seed and length. */
export const plan = (seed: number, lengthMillis: number): ReadonlyArray<PlannedFault> => {
  const random = makeRandom(seed)
  const pick = <A>(choices: readonly [A, ...ReadonlyArray<A>]): A =>
    choices[Math.floor(random() * choices.length)] ?? choices[0]

  const choose = (): Fault => {
    const die = random()
    if (die < 0.24) return { kind: "kill", process: pick(PROCESSES) }
    if (die < 0.32) return { kind: "restart", engine: "postgres", how: pick(["fast", "immediate"]) }
    if (die < 0.38) return { kind: "restart", engine: "redis", how: "flushed" }
    if (die < 0.42) return { kind: "flush" }
    return {
      kind: "network",
      dependency: pick(["postgres", "postgres", "redis", "redis", "sqs", "sqs", "cognito"]),
      process: random() < 0.5 ? undefined : pick(PROCESSES),
      how: pick(["cut", "refuse", "stall", "delay"]),
    }
  }

  const faults: Array<PlannedFault> = []
  for (let atMillis = random() * GAP_MILLIS; atMillis < lengthMillis; atMillis += random() * GAP_MILLIS) {
    // Squared: most are short.
    const forMillis = Math.round(SHORTEST_MILLIS + random() ** 2 * (LONGEST_MILLIS - SHORTEST_MILLIS))
    faults.push({ atMillis: Math.round(atMillis), forMillis, fault: choose() })
  }
  return faults
}

/** In a few words, such as "stall redis of worker-1". */
export const describeFault = (fault: Fault): string => {
  switch (fault.kind) {
    case "kill":
      return `kill ${fault.process}`
    case "restart":
      return `restart ${fault.engine} ${fault.how}`
    case "flush":
      return "flush redis"
    case "network":
      return `${fault.how} ${fault.dependency} of ${fault.process ?? "all"}`
  }
}
