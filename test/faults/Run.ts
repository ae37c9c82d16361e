import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import { BOARD_KEY } from "../../src/domain/BoardCache.ts"
import type { Scores } from "../../src/domain/Score.ts"
import { parseBoard } from "../../src/client/BoardGuard.ts"
import { request } from "../support/fixtures.ts"
import { inject } from "./Inject.ts"
import { makeLoad, makePlayers } from "./Load.ts"
import { plan } from "./Plan.ts"
import { PROCESSES } from "../support/system/Names.ts"
import { System } from "../support/system/System.ts"
import * as Truth from "../support/invariants/Truth.ts"
import { watchStalls } from "../support/stalls.ts"
import { watch } from "../support/system/Watcher.ts"

/** How long faults begin, in milliseconds; the last ones end a few seconds later. */
export const LOAD_MILLIS = 8_000

/** After everything is whole, clients that repeat are all accepted within this time. */
const ACCEPTED_WITHIN = Duration.seconds(10)

/** From the last acceptance to the same board everywhere. From the issue: two seconds. */
const SHOWN_WITHIN = Duration.seconds(2)

/** A killed process's messages are free after their lease of 10 s, and found by a sweep 2 s later at most. */
const DRAINED_WITHIN = Duration.seconds(15)

/** Errors that say that a dependency is away, at the moments when one is. */
const EXPECTED_ERRORS = [
  "A commit of increments failed",
  "The board could not be read",
  "An access token could not be checked",
  // The last line of a start without PostgreSQL.
  "PostgreSQL (DATABASE_URL) cannot be used",
]

/** What one seed came to. */
export interface Result {
  readonly seed: number
  readonly faults: ReadonlyArray<string>
  readonly keys: number
  readonly attempts: number
  readonly outcomes: Readonly<Record<string, number>>
  readonly slowestMillis: number
  readonly acceptedMillis: number
  readonly shownMillis: number
  readonly drainedMillis: number
  readonly frames: number
  readonly dropped: number
  /** Empty when everything held. */
  readonly findings: ReadonlyArray<string>
}

const same = (a: Scores | undefined, b: Scores) => JSON.stringify(a) === JSON.stringify(b)

/** Asks every 20 ms until it holds: the milliseconds that took, or the limit with a finding. */
const measure = <E, R>(
  what: string,
  limit: Duration.Duration,
  findings: Array<string>,
  ask: Effect.Effect<string | undefined, E, R>,
) => {
  let last: string | undefined
  return ask.pipe(
    Effect.map((problem) => (last = problem)),
    Effect.repeat({ until: (problem) => problem === undefined, schedule: Schedule.spaced("20 millis") }),
    Effect.timeoutOrElse({
      duration: limit,
      orElse: () =>
        Effect.sync(() => void findings.push(`Not ${what} within ${Duration.format(limit)}: ${last}`)),
    }),
    Effect.timed,
    Effect.map(([elapsed]) => Math.round(Duration.toMillis(elapsed))),
  )
}

/** One seed from an empty board to the verdict. */
export const run = Effect.fnUntraced(function* (seed: number) {
  const { postgres, redis, processes, token } = yield* System
  const all = PROCESSES.map((name) => processes[name])
  const apis = [processes["api-1"], processes["api-2"]] as const
  const findings: Array<string> = []
  yield* Truth.rebuild(postgres.url)
  const logged = new Map(all.map(({ name, log, ends }) => [name, { lines: log.length, ends: ends.length }]))

  const players = makePlayers(seed, token)
  const load = makeLoad(seed, players, [apis[0].url, apis[1].url], yield* watchStalls)
  const watchers = yield* Effect.forEach([...apis, ...apis], ({ name, url }, index) =>
    watch(`Viewer ${index} of ${name}`, url),
  )
  const clients = yield* Effect.forkScoped(load.run)
  const faults = yield* inject(plan(seed, LOAD_MILLIS), { seed, load, players, findings })
  yield* load.stop
  const acceptedMillis = yield* measure(
    "all accepted",
    ACCEPTED_WITHIN,
    findings,
    Effect.as(Fiber.await(clients), undefined),
  )

  const truth = yield* Truth.top(postgres.url)
  const shownMillis = yield* measure(
    "the same board everywhere",
    SHOWN_WITHIN,
    findings,
    Effect.gen(function* () {
      const stored = yield* redis.withClient((client) => Effect.promise(() => client.get(BOARD_KEY)))
      if (!same(parseBoard(stored), truth)) return `Redis has ${stored}, PostgreSQL ${JSON.stringify(truth)}`
      for (const { name, url } of apis) {
        const { body } = yield* request(`${url}/scores`)
        if (!same(parseBoard(body), truth)) return `${name} has ${body}, PostgreSQL ${JSON.stringify(truth)}`
      }
      const late = watchers.findIndex(({ newest }) => !same(newest(), truth))
      return late === -1 ? undefined : `viewer ${late} has ${JSON.stringify(watchers[late]?.newest())}`
    }),
  )
  const drainedMillis = yield* measure(
    "all sent",
    DRAINED_WITHIN,
    findings,
    Effect.map(Truth.waiting(postgres.url), (rows) => (rows === 0 ? undefined : `${rows} commits wait`)),
  )

  findings.push(...load.findings, ...watchers.flatMap((watcher) => watcher.findings))
  findings.push(...(yield* Truth.reconcile(postgres.url, load.sent)), ...(yield* Truth.broken(postgres.url)))
  for (const key of load.sent.keys()) if (!load.accepted.has(key)) findings.push(`Never accepted: ${key}`)
  for (const { name, log, ends } of all) {
    const from = logged.get(name) ?? { lines: 0, ends: 0 }
    findings.push(...ends.slice(from.ends))
    for (const { level, message, text } of log.slice(from.lines)) {
      const expected = EXPECTED_ERRORS.some((known) => message.startsWith(known))
      if (!expected && !level.startsWith("WARN")) findings.push(`${name}: ${text.slice(0, 500)}`)
    }
  }
  const result: Result = {
    seed,
    faults,
    keys: load.sent.size,
    attempts: load.attempts(),
    outcomes: Object.fromEntries(load.outcomes),
    slowestMillis: Math.round(load.slowestMillis()),
    acceptedMillis,
    shownMillis,
    drainedMillis,
    frames: watchers.reduce((sum, { frames }) => sum + frames(), 0),
    dropped: watchers.reduce((sum, { dropped }) => sum + dropped(), 0),
    findings,
  }
  return result
}, Effect.scoped)
