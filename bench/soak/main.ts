import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import { loadavg } from "node:os"
import { parseArgs } from "node:util"
import * as Truth from "../../test/support/invariants/Truth.ts"
import { request } from "../../test/support/fixtures.ts"
import { dump } from "../../test/support/system/Sessions.ts"
import { System } from "../../test/support/system/System.ts"
import { report } from "../checks.ts"
import { closedLoop } from "../http.ts"
import { incrementsOf } from "../requests.ts"
import { findingsAfter } from "./aftermath.ts"
import { offer } from "./load.ts"
import { makeTimeline, type Readiness, table, type Timeline } from "./timeline.ts"
import { judge } from "./verdict.ts"

const PLAYERS = 1000

/**
 * Each way of an API's link to PostgreSQL, so that this is what the system waits for, and not the processor, which the
 * load and the engines use too: a batch takes at least 300 ms, and two committers of two APIs commit 1,333 rows a second
 * at most.
 */
const DELAY_MILLIS = 150

/** Of each API, in a closed loop: enough to fill every batch, and few enough that nobody is refused. */
const CONNECTIONS = 300
const CAPACITY_SECONDS = 8

/** The load that comes, by what the system takes. */
const OVERLOAD = 1.5

/** When the backup begins and ends, and when the primary fails, as shares of the run. */
const BACKUP = { from: 0.2, to: 0.5 }
const FAILOVER_AT = 0.65

/** How long after the old primary is back the address still leads to it, in seconds; for one API twice that. */
const ADDRESS_LATE_SECONDS = 1

/** After the address moved, goodput is whole again within this time, in seconds. */
const WHOLE_WITHIN_SECONDS = 5

const Report = Schema.fromJsonString(
  Schema.Struct({ status: Schema.Literals(["ready", "degraded", "unavailable"]) }),
)
const decodeReport = Schema.decodeUnknownEffect(Report)

/** Asks an API for its readiness, which takes a second at most; no answer within two is one too. */
const readinessOf = (management: string): Effect.Effect<Readiness> =>
  request(`${management}/health/ready`).pipe(
    Effect.flatMap(({ body }) => decodeReport(body)),
    Effect.map(({ status }): Readiness => status),
    Effect.timeout("2 seconds"),
    Effect.catch(() => Effect.succeed("no answer" as const)),
  )

/** Notes the readiness of both APIs in every second. */
const watchReadiness = (apis: ReadonlyArray<{ readonly management: () => string }>, timeline: Timeline) =>
  Effect.forEach(timeline.seconds, (second, n) =>
    Effect.sleep(Math.max(0, (n + 0.5 - timeline.elapsed()) * 1000)).pipe(
      Effect.andThen(
        Effect.forEach(apis, ({ management }) => readinessOf(management()), { concurrency: "unbounded" }),
      ),
      Effect.map((all) => second.readiness.push(...all)),
    ),
  )

/**
 * 1.5 times as much as the system takes, for a long time, with a backup and a failover inside. Prints a table and a
 * verdict; the exit code is 1 when that is bad.
 */
const soak = Effect.fnUntraced(function* (lengthSeconds: number) {
  const { cognito, movePostgres, postgres, processes } = yield* System
  const apis = [processes["api-1"], processes["api-2"]] as const
  const ports = apis.map(({ url }) => Number(new URL(url).port))
  const players = Array.from({ length: PLAYERS }, (_, n) => ({
    id: `player-${n}`,
    email: `player${n}@example.com`,
  }))
  yield* Truth.register(postgres.url, players)
  yield* Effect.forEach(apis, ({ links }) => links.postgres.delay(DELAY_MILLIS))
  const requests = incrementsOf(
    cognito.env.COGNITO_ISSUER,
    players.map(({ id }) => id),
  )
  const atFull = (seconds: number) =>
    Effect.promise(() =>
      Promise.all(
        ports.map((port) => closedLoop({ port, connections: CONNECTIONS, seconds, request: requests() })),
      ),
    )
  // What is measured is compiled code.
  yield* atFull(CAPACITY_SECONDS / 2)
  const capacity = (yield* atFull(CAPACITY_SECONDS)).reduce((all, one) => all + one.accepted / one.seconds, 0)
  yield* Effect.sleep("3 seconds")
  const firstEvent = yield* Truth.lastEvent(postgres.url)

  const timeline = makeTimeline(lengthSeconds)
  const note = (event: string) => Effect.sync(() => void timeline.now().events.push(event))
  const at = (share: number) =>
    Effect.suspend(() => Effect.sleep(Math.max(0, (share * lengthSeconds - timeline.elapsed()) * 1000)))
  const failover = { from: 0, to: 0 }

  const backup = at(BACKUP.from).pipe(
    Effect.andThen(note("backup begins")),
    Effect.andThen(dump(postgres.url, at(BACKUP.to))),
    Effect.tap((began) => note(began ? "backup ends" : "BACKUP FAILED")),
  )
  const primaryFails = Effect.gen(function* () {
    yield* at(FAILOVER_AT)
    failover.from = Math.floor(timeline.elapsed())
    yield* note("primary fails")
    const port = yield* postgres.failover("crash")
    yield* note("the old primary answers as a standby")
    yield* movePostgres(port, ADDRESS_LATE_SECONDS * 1000)
    yield* note("the address has moved")
    failover.to = Math.ceil(timeline.elapsed()) + WHOLE_WITHIN_SECONDS
  })
  const events = yield* Effect.forkChild(
    Effect.all([backup, primaryFails, watchReadiness(apis, timeline)], { concurrency: "unbounded" }),
  )
  const answers = yield* Effect.promise(() =>
    offer({
      ports,
      ratePerSecond: OVERLOAD * capacity,
      seconds: lengthSeconds,
      request: requests(),
      timeline,
    }),
  )
  yield* Fiber.join(events)
  const findings = yield* findingsAfter(answers, firstEvent)
  console.log(
    `Capacity ${capacity.toFixed(0)} a second; ${answers.sent} sent, ${answers.accepted.size} answered 200; load average ${loadavg()[0]?.toFixed(1)}\n`,
  )
  console.log(table(timeline))
  report(judge({ timeline, capacity, failover, findings }))
})

const { values } = parseArgs({ options: { minutes: { type: "string", default: "10" } } })
soak(Math.round(Number(values.minutes) * 60)).pipe(
  Effect.provide(System.layer),
  Effect.scoped,
  NodeRuntime.runMain(),
)
