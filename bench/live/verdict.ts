import type { Check } from "../checks.ts"
import { quantile } from "../figures.ts"
import type { Sample } from "./sample.ts"
import type { Cut, Kind } from "./waves.ts"

const MIB = 1024 * 1024

const median = (values: ReadonlyArray<number>) =>
  quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  )

/** Samples in a row of which only the median counts: one in the middle of a thousand handshakes shows those. */
const GROUP = 6

/** By least squares on the medians of groups: how much a figure (bytes) grows, in KiB per minute. */
const slope = (samples: ReadonlyArray<Sample>, figure: (one: Sample) => number): number => {
  const points = Array.from({ length: Math.floor(samples.length / GROUP) }, (_, n) => {
    const group = samples.slice(n * GROUP, (n + 1) * GROUP)
    return { x: median(group.map(({ minutes }) => minutes)), y: median(group.map(figure)) }
  })
  const mean = (of: (point: (typeof points)[number]) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length
  const [x, y] = [mean((point) => point.x), mean((point) => point.y)]
  return mean((point) => (point.x - x) * (point.y - y)) / mean((point) => (point.x - x) ** 2) / 1024
}

const byMinute = (samples: ReadonlyArray<Sample>) => [
  ...Map.groupBy(samples, ({ minutes }) => Math.ceil(minutes)),
]

/** A row per minute: medians, unless the head says otherwise. */
export const minutesTable = (samples: ReadonlyArray<Sample>): string => {
  const head = [
    "minute",
    "RAM, MiB",
    "heap, MiB",
    "heap's reserve, MiB",
    "external, MiB",
    "array buffers, MiB",
    "sockets, least–most",
    "other descriptors",
    "cut: silent",
    "cut: unread",
    "closed, in the kernel, most",
    "unread in the kernel, most, MiB",
    "event loop p99, ms",
    "GET /scores p99, ms",
    "boards",
    "slowest to the last viewer, ms",
    "stale",
    "open",
  ]
  let before = { silent: 0, unread: 0 }
  const rows = byMinute(samples).map(([minute, ones]) => {
    const of = (figure: (one: Sample) => number) => ones.map(figure)
    const mib = (figure: (one: Sample) => number) => (median(of(figure)) / MIB).toFixed(1)
    const most = (figure: (one: Sample) => number) => Math.max(...of(figure))
    const last = { silent: most(({ silent }) => silent), unread: most(({ unread }) => unread) }
    const reads = ones.flatMap((one) => one.reads).toSorted((a, b) => a - b)
    const row = [
      minute,
      mib(({ resident }) => resident),
      mib(({ heapUsed }) => heapUsed),
      mib(({ heapTotal }) => heapTotal),
      mib(({ external }) => external),
      mib(({ arrayBuffers }) => arrayBuffers),
      `${Math.min(...of(({ connections }) => connections))}–${most(({ connections }) => connections)}`,
      median(of(({ otherDescriptors }) => otherDescriptors)),
      last.silent - before.silent,
      last.unread - before.unread,
      most(({ orphans }) => orphans),
      (most(({ unreadBytes }) => unreadBytes) / MIB).toFixed(1),
      median(of(({ loopDelayMillis }) => loopDelayMillis)).toFixed(1),
      quantile(reads, 0.99).toFixed(1),
      ones.reduce((sum, { boards }) => sum + boards, 0),
      most(({ slowestMillis }) => slowestMillis).toFixed(0),
      ones.reduce((sum, { stale }) => sum + stale, 0),
      Math.min(...of(({ open }) => open)),
    ]
    before = last
    return row
  })
  return [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n")
}

/**
 * How much a minute from minute to minute, by the median (KiB). Allocators keep reserves, which grow in a few steps of
 * many MiB and stay; what is left behind by every viewer grows every minute.
 */
const usualGrowth = (samples: ReadonlyArray<Sample>, figure: (one: Sample) => number): number => {
  const minutes = byMinute(samples).map(([, ones]) => median(ones.map(figure)))
  const growth = minutes.slice(1).map((value, n) => (value - (minutes[n] ?? Number.NaN)) / 1024)
  return growth.length === 0 ? Number.NaN : median(growth)
}

/** What counts as flat, KiB per minute. 2,000 viewers a minute are cut: 100 are 51 bytes left behind by each. */
const FLAT = { held: 100, resident: 512 }

/** Three pings, the first after up to 20 s, and their turn. */
const CUT_WITHIN_SECONDS = 65

/** Connections that happen to end while one looks. */
const MAY_BE_CLOSING = 10

/** Reads of the prober and of the metrics come and go. */
const DESCRIPTORS_MAY_DIFFER = 8

/** Judges the samples after `warmUpMinutes`; boards and viewers from the beginning. */
export const judge = (options: {
  readonly samples: ReadonlyArray<Sample>
  readonly warmUpMinutes: number
  /** Well-behaved viewers. */
  readonly viewers: number
  readonly cut: ReadonlyMap<Kind, Cut>
}): ReadonlyArray<Check> => {
  const { samples, cut } = options
  const late = samples.filter(({ minutes }) => minutes >= options.warmUpMinutes)
  const atMost = (what: string, value: number, bound: number): Check => ({
    what: `${what} ≤ ${bound}`,
    found: value.toFixed(1),
    holds: value <= bound,
  })
  const third = Math.ceil(late.length / 3)
  const others = (some: ReadonlyArray<Sample>) => median(some.map(({ otherDescriptors }) => otherDescriptors))
  return [
    atMost(
      "JavaScript's memory, KiB a minute by least squares",
      slope(late, ({ held }) => held),
      FLAT.held,
    ),
    atMost(
      "resident memory, KiB in the usual minute",
      usualGrowth(late, ({ resident }) => resident),
      FLAT.resident,
    ),
    atMost(
      "more descriptors at the end",
      others(late.slice(-third)) - others(late.slice(0, third)),
      DESCRIPTORS_MAY_DIFFER,
    ),
    atMost("closed, in the kernel, median", median(late.map(({ orphans }) => orphans)), MAY_BE_CLOSING),
    atMost("well-behaved viewers lost", options.viewers - Math.min(...samples.map(({ open }) => open)), 0),
    atMost(
      "boards stale at a well-behaved viewer",
      samples.reduce((sum, { stale }) => sum + stale, 0),
      0,
    ),
    atMost("newcomers refused", samples.at(-1)?.refused ?? Number.NaN, 0),
    ...[...cut].flatMap(([kind, { viewers, slowestSeconds }]) => [
      { what: `some cut: ${kind}`, found: String(viewers), holds: viewers > 0 },
      atMost(`slowest cut, s: ${kind}`, slowestSeconds, CUT_WITHIN_SECONDS),
    ]),
  ]
}
