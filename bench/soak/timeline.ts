import { quantile } from "../figures.ts"

/** A 200 that comes later is no use to its caller. */
const IN_TIME_MILLIS = 3000

/** A row of the table, in seconds. */
const ROW_SECONDS = 10

/** What an API says of its readiness at one moment. */
export type Readiness = "ready" | "degraded" | "unavailable" | "no answer"

const LETTER: Readonly<Record<Readiness, string>> = {
  ready: "R",
  degraded: "D",
  unavailable: "U",
  "no answer": "-",
}

/** One second of a run. */
export interface Second {
  /** Requests that were due. */
  offered: number
  /** Answers of 200 within three seconds. */
  goodput: number
  /** Answers other than 200. */
  refused: number
  /** Requests that were not answered at all. */
  lost: number
  readonly acceptedMillis: Array<number>
  readonly refusedMillis: Array<number>
  /** By the API's number. */
  readonly readiness: Array<Readiness>
  readonly events: Array<string>
}

/** What happened in each second since it was made. */
export interface Timeline {
  readonly seconds: ReadonlyArray<Second>
  /** The second in which something happens now; those after the end of the run count as its last one. */
  now(): Second
  /** How many seconds have passed. */
  elapsed(): number
  offered(): void
  answered(status: number, millis: number): void
}

export const makeTimeline = (length: number): Timeline => {
  const seconds = Array.from({ length }, (): Second => ({
    offered: 0,
    goodput: 0,
    refused: 0,
    lost: 0,
    acceptedMillis: [],
    refusedMillis: [],
    readiness: [],
    events: [],
  }))
  const begun = performance.now()
  const elapsed = () => (performance.now() - begun) / 1000
  const now = () => {
    const second = seconds[Math.min(length - 1, Math.floor(elapsed()))]
    if (second === undefined) throw new Error("A run without a second")
    return second
  }
  return {
    seconds,
    now,
    elapsed,
    offered: () => void (now().offered += 1),
    answered: (status, millis) => {
      const second = now()
      if (status === 0) second.lost += 1
      else if (status === 200) {
        second.acceptedMillis.push(millis)
        if (millis <= IN_TIME_MILLIS) second.goodput += 1
      } else {
        second.refused += 1
        second.refusedMillis.push(millis)
      }
    },
  }
}

export const p99 = (seconds: ReadonlyArray<Second>, of: (second: Second) => ReadonlyArray<number>) =>
  quantile(
    seconds.flatMap(of).toSorted((a, b) => a - b),
    0.99,
  )

export const sum = (seconds: ReadonlyArray<Second>, of: (second: Second) => number) =>
  seconds.reduce((total, second) => total + of(second), 0)

const millis = (value: number) => (Number.isNaN(value) ? "–" : value.toFixed(0))

/** A row for every ten seconds, in Markdown. Of readiness it has one letter for each second, API by API. */
export const table = ({ seconds }: Timeline): string => {
  const head = [
    "seconds",
    "offered/s",
    "goodput/s",
    "least, most",
    "refused/s",
    "no answer",
    "p99 of a 200, ms",
    "p99 of a refusal, ms",
    "readiness",
    "events",
  ]
  const rows = Array.from({ length: Math.ceil(seconds.length / ROW_SECONDS) }, (_, n) => {
    const some = seconds.slice(n * ROW_SECONDS, (n + 1) * ROW_SECONDS)
    const goodput = some.map((one) => one.goodput)
    const perSecond = (of: (second: Second) => number) => (sum(some, of) / some.length).toFixed(0)
    const letters = [0, 1].map((api) =>
      some.map(({ readiness }) => LETTER[readiness[api] ?? "no answer"]).join(""),
    )
    return [
      `${n * ROW_SECONDS}–${n * ROW_SECONDS + some.length}`,
      perSecond(({ offered }) => offered),
      perSecond((one) => one.goodput),
      `${Math.min(...goodput)}, ${Math.max(...goodput)}`,
      perSecond(({ refused }) => refused),
      sum(some, ({ lost }) => lost),
      millis(p99(some, ({ acceptedMillis }) => acceptedMillis)),
      millis(p99(some, ({ refusedMillis }) => refusedMillis)),
      letters.join(" "),
      some.flatMap(({ events }) => events).join(", "),
    ]
  })
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n")
}
