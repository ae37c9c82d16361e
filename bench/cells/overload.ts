import { Client } from "pg"
import * as Effect from "effect/Effect"
import type { TcpProxy } from "../../test/support/engines/TcpProxy.ts"
import { quantile } from "../figures.ts"
import { closedLoop, type Load, openLoop } from "../http.ts"
import type { System } from "../system.ts"
import type { IncrementRequest } from "./increments.ts"

/** Each way of the link to PostgreSQL: a batch takes 250 ms, so two committers commit 800 rows a second. */
const DELAY_MILLIS = 125

/** Enough connections to fill every batch, and few enough that nobody is refused. */
const CONNECTIONS = 400

/** A 200 that comes later is no use to its caller. */
const IN_TIME_MILLIS = 3000

/** Times count from here on: until then the load generator opens its connections, and a locked row is found. */
const SETTLED_SECONDS = 2

/** The locked player's presses among those of the others: 2 of 102 a second. */
const LOCKED_EVERY = 51
const LOCKED_RATE = 102

const pause = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

/** Answers to the requests of one run, by the second in which they came. */
const bySecond = (seconds: number, isCounted: (n: number) => boolean) => {
  const begun = performance.now()
  const goodput = Array.from({ length: seconds }, () => 0)
  let refused = 0
  const refusedMillis: Array<number> = []
  const countedMillis: Array<number> = []
  return {
    answered: (n: number, status: number, millis: number) => {
      if (!isCounted(n)) return
      const second = Math.floor((performance.now() - begun) / 1000)
      if (status !== 200) refused += 1
      else if (millis <= IN_TIME_MILLIS && goodput[second] !== undefined) goodput[second] += 1
      if (second >= SETTLED_SECONDS) (status === 200 ? countedMillis : refusedMillis).push(millis)
    },
    row: (name: string) => {
      const p99 = (millis: ReadonlyArray<number>) =>
        millis.length === 0
          ? "–"
          : quantile(
              millis.toSorted((a, b) => a - b),
              0.99,
            ).toFixed(0)
      return `| ${name} | ${goodput.join(" ")} | ${refused} | ${p99(refusedMillis)} | ${p99(countedMillis)} |`
    },
  }
}

/**
 * Goodput of every second under overload, after a stall and an outage of PostgreSQL, and beside a locked row. Every 200
 * counts that came within three seconds; afterwards scores and history
 * must have every 200.
 */
export const overload = Effect.fnUntraced(function* (options: {
  readonly system: System
  /** The link between the API and PostgreSQL. */
  readonly link: TcpProxy
  /** PostgreSQL without the link. */
  readonly directUrl: string
  /** Increments of everybody; of whom each `LOCKED_EVERY`-th is the locked player's. */
  readonly everyone: () => IncrementRequest
  readonly lockedPlayer: string
  readonly lockedOne: () => IncrementRequest
}) {
  const { system, link, everyone, lockedOne } = options
  const slow = link.delay(DELAY_MILLIS)
  const rows: Array<string> = []
  // The commit of a refused request may still end: its outcome is unknown.
  const reconcile = ({ accepted, failed }: Load) =>
    Effect.promise(() => system.reconcile({ accepted, unknown: failed }))

  const run = Effect.fnUntraced(function* (
    name: string,
    ratePerSecond: number,
    seconds: number,
    request: IncrementRequest,
    isCounted: (n: number) => boolean = () => true,
  ) {
    const results = bySecond(seconds, isCounted)
    const load = yield* Effect.promise(() =>
      openLoop({ ports: system.ports, ratePerSecond, seconds, request, answered: results.answered }),
    )
    rows.push(results.row(name))
    yield* Effect.promise(() => pause(3000))
    yield* reconcile(load)
  })
  const interrupted = (atMillis: number, forMillis: number) =>
    Effect.sleep(atMillis).pipe(
      Effect.andThen(link.stall),
      Effect.andThen(Effect.sleep(forMillis)),
      Effect.andThen(slow),
    )

  yield* slow
  const full = yield* Effect.promise(() =>
    closedLoop({ port: system.port, connections: CONNECTIONS, seconds: 6, request: everyone() }),
  )
  yield* reconcile(full)
  const capacity = full.accepted / full.seconds
  rows.push(`| capacity, closed loop | ${capacity.toFixed(0)} a second | ${full.failed} | | |`)
  for (const times of [1.5, 3]) yield* run(`${times}× load`, times * capacity, 12, everyone())
  yield* Effect.all(
    [run("80 %, stall of 4 s at 5 s", 0.8 * capacity, 18, everyone()), interrupted(5_000, 4_000)],
    { concurrency: 2 },
  )
  yield* Effect.all(
    [run("30 %, outage of 30 s at 5 s", 0.3 * capacity, 45, everyone()), interrupted(5_000, 30_000)],
    { concurrency: 2 },
  )

  yield* link.forward
  yield* Effect.scoped(
    Effect.gen(function* () {
      yield* Effect.acquireRelease(
        Effect.promise(async () => {
          const client = new Client(options.directUrl)
          await client.connect()
          await client.query("begin")
          await client.query("select from scores where user_id = $1 for update", [options.lockedPlayer])
          return client
        }),
        (client) => Effect.promise(() => client.end()),
      )
      const [others, locked] = [everyone(), lockedOne()]
      yield* run(
        "one row locked, the others of 100/s",
        LOCKED_RATE,
        10,
        (n) => (n % LOCKED_EVERY === 0 ? locked(n) : others(n)),
        (n) => n % LOCKED_EVERY !== 0,
      )
    }),
  )
  return [
    `| ${system.name} | goodput of each second | refused | p99 of a refusal, ms | p99 of a 200, ms |`,
    "| --- | --- | --- | --- | --- |",
    ...rows,
    "",
  ].join("\n")
})
