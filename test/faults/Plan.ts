import type { Refusal } from "../support/engines/redisRefusals.ts"
import { type Dependency, PROCESSES, type ProcessName } from "../support/system/Names.ts"
import { type LockedRow, LOCKED_ROWS } from "../support/system/Sessions.ts"

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
  | { readonly kind: "failover"; readonly how: "planned" | "crash" }
  | { readonly kind: "redis refuses writes"; readonly code: Refusal }
  | { readonly kind: "redis demoted" }
  | { readonly kind: "row locked"; readonly table: LockedRow }
  | { readonly kind: "snapshot" }
  | { readonly kind: "overload" }
  | { readonly kind: "backup" }

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

/** An overload is short, because every action of it is repeated until it is accepted. */
const OVERLOAD_MILLIS = { from: 1_000, to: 2_000 }

type Random = () => number
type Draw = (random: Random) => Fault

const pick = <A>(random: Random, choices: ReadonlyArray<A>): A => {
  const picked = choices[Math.floor(random() * choices.length)]
  if (picked === undefined) throw new Error("Nothing to pick from")
  return picked
}

const network =
  (how: Extract<Fault, { kind: "network" }>["how"]): Draw =>
  (random) => ({
    kind: "network",
    dependency: pick(random, ["postgres", "postgres", "redis", "redis", "sqs", "sqs", "cognito"] as const),
    process: random() < 0.5 ? undefined : pick(random, PROCESSES),
    how,
  })

const kill: Draw = (random) => ({ kind: "kill", process: pick(random, PROCESSES) })
const lock: Draw = (random) => ({ kind: "row locked", table: pick(random, LOCKED_ROWS) })

/** What happens often, and is over soon. */
const COMMON: ReadonlyArray<Draw> = [
  kill,
  kill,
  kill,
  kill,
  ...(["cut", "refuse", "refuse", "stall", "stall", "delay"] as const).map(network),
  (random) => ({ kind: "restart", engine: "postgres", how: pick(random, ["fast", "immediate"] as const) }),
  () => ({ kind: "restart", engine: "redis", how: "flushed" }),
  () => ({ kind: "flush" }),
  lock,
  lock,
]

/** What takes long, in twos: an odd seed has one of each two, and the even one after it the other. */
const RARE: ReadonlyArray<readonly [Draw, Draw]> = [
  [
    (random) => ({ kind: "failover", how: pick(random, ["planned", "crash"] as const) }),
    () => ({ kind: "backup" }),
  ],
  [
    (random) => ({
      kind: "redis refuses writes",
      code: pick(random, ["OOM", "NOREPLICAS", "MISCONF"] as const),
    }),
    () => ({ kind: "redis demoted" }),
  ],
  [() => ({ kind: "snapshot" }), () => ({ kind: "overload" })],
]

/** Rare faults are among the first of a run, which would last longer otherwise. */
const FIRST = 6

const shuffled = <A>(random: Random, cards: ReadonlyArray<A>): ReadonlyArray<A> =>
  cards
    .map((card) => ({ card, at: random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ card }) => card)

/** Both seeds of two share the faults, so together they meet every kind. What a fault hits is drawn when it begins. */
const handOf = (seed: number): ReadonlyArray<Draw> => {
  const random = makeRandom(-Math.ceil(seed / 2))
  const half = seed % 2
  const rare = RARE.map((two) => (random() < 0.5 ? two : two.toReversed())[half]).filter(
    (draw) => draw !== undefined,
  )
  const common = shuffled(random, COMMON).filter((_, index) => index % 2 === half)
  const room = FIRST - rare.length
  return [...shuffled(random, [...rare, ...common.slice(0, room)]), ...common.slice(room)]
}

/** The faults of a run, in the order of their times: the same for the same seed and length. */
export const plan = (seed: number, lengthMillis: number): ReadonlyArray<PlannedFault> => {
  const random = makeRandom(seed)
  const hand = handOf(seed)
  // Squared: most are short.
  const lasts = (kind: Fault["kind"], atMillis: number) => {
    switch (kind) {
      case "snapshot":
        return lengthMillis - atMillis
      case "overload":
        return OVERLOAD_MILLIS.from + random() * (OVERLOAD_MILLIS.to - OVERLOAD_MILLIS.from)
      default:
        return SHORTEST_MILLIS + random() ** 2 * (LONGEST_MILLIS - SHORTEST_MILLIS)
    }
  }
  const faults: Array<PlannedFault> = []
  for (let atMillis = random() * GAP_MILLIS; atMillis < lengthMillis; atMillis += random() * GAP_MILLIS) {
    const fault = (hand[faults.length] ?? pick(random, COMMON))(random)
    faults.push({ atMillis: Math.round(atMillis), forMillis: Math.round(lasts(fault.kind, atMillis)), fault })
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
    case "failover":
      return `failover (${fault.how})`
    case "redis refuses writes":
      return `${fault.kind} (${fault.code})`
    case "row locked":
      return `row of ${fault.table} locked`
    case "backup":
      return "backup during a rolling restart"
    case "redis demoted":
    case "snapshot":
    case "overload":
      return fault.kind
  }
}
