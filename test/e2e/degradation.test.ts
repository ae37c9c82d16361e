import { assert, layer } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { request, until } from "../support/fixtures.ts"
import { json } from "../support/engines/FakeCognito.ts"
import { type Dependency, PROCESSES } from "../support/system/Names.ts"
import { System } from "../support/system/System.ts"
import * as Truth from "../support/invariants/Truth.ts"
import { timedRunning } from "../support/stalls.ts"
import { watch } from "../support/system/Watcher.ts"

/** One line of the table in the design: what each route answers while a dependency is away. */
interface Expected {
  readonly away: Dependency
  readonly reads: number
  readonly increments: number
  readonly login: number
  /** Whether a new score reaches the sockets meanwhile. */
  readonly live: boolean
  readonly api: string
  readonly worker: string
}

const TABLE: ReadonlyArray<Expected> = [
  {
    away: "postgres",
    reads: 200,
    increments: 503,
    login: 200,
    live: false,
    api: "200 degraded",
    worker: "503 unavailable",
  },
  {
    away: "redis",
    reads: 200,
    increments: 200,
    login: 200,
    live: false,
    api: "200 degraded",
    worker: "503 unavailable",
  },
  {
    away: "sqs",
    reads: 200,
    increments: 200,
    login: 200,
    live: true,
    api: "200 degraded",
    worker: "503 unavailable",
  },
  {
    away: "cognito",
    reads: 200,
    increments: 200,
    login: 503,
    live: true,
    api: "200 ready",
    worker: "200 ready",
  },
]

/** How long an answer may take in milliseconds, by the way in which the dependency is away. From the design. */
const LIMITS = { refuse: 1_000, stall: 3_000 } as const

/** After the return: requests are answered again at once, boards within two seconds. From the issue. */
const ANSWERED_AGAIN = Duration.seconds(1)
const SHOWN_AGAIN = Duration.seconds(2)

/** How often each route is asked during an outage: the first time finds open connections, the last a known outage. */
const ROUNDS = 2

/** One after the other, so that some find every committer waiting for a mute server; in milliseconds. */
const ARRIVALS = [0, 300, 600, 900, 1_200]

layer(System.layer, { timeout: "90 seconds", excludeTestServices: true })(
  "While a dependency is away",
  (it) => {
    for (const expected of TABLE) {
      for (const how of ["refuse", "stall"] as const) {
        const title = `${expected.away} ${how === "refuse" ? "refuses" : "is mute"}`
        it.effect(`answers as promised in time and recovers at once when ${title}`, () =>
          Effect.gen(function* () {
            const { processes, cognito, postgres, token } = yield* System
            const [api, worker] = [processes["api-1"], processes["worker-1"]]
            const links = PROCESSES.map((name) => processes[name].links[expected.away])
            yield* Truth.rebuild(postgres.url)
            const player = `${expected.away}-${how}`
            const bearer = token(player, `${player}@example.com`)
            cognito.answers.InitiateAuth = json(200, cognito.tokens({ email: "s1@example.com" }))
            const slow: Array<string> = []

            const timed = (route: string, ask: ReturnType<typeof request>) =>
              Effect.map(timedRunning(ask), ([millis, { status, body }]) => {
                if (millis > LIMITS[how]) slow.push(`${route}: ${Math.round(millis)} ms`)
                return { status, body }
              })
            const read = timed("reads", request(`${api.url}/scores`))
            const raise = timed(
              "increments",
              request(`${api.url}/scores/increment`, {
                method: "POST",
                headers: { authorization: `Bearer ${bearer}` },
              }),
            )
            const raises = Effect.forEach(ARRIVALS, (millis) => Effect.delay(raise, millis), {
              concurrency: "unbounded",
            })
            const login = timed(
              "login",
              request(`${api.url}/users/auth/login`, {
                method: "POST",
                headers: { "content-type": "application/json" },
                // An account of its own: the table asks more often than one account may.
                body: JSON.stringify({ email: `${player}@example.com`, password: "Pass-word" }),
              }),
            )
            const ready = (management: string) =>
              Effect.map(timed("ready", request(`${management}/health/ready`)), ({ status, body }) => {
                const word = /"status":"(\w+)"/.exec(body)?.[1] ?? body
                return `${status} ${word}`
              })

            const watcher = yield* watch("the viewer", api.url)
            const shown = Effect.sync(
              () => watcher.newest()?.find(({ email }) => email.startsWith(player))?.score ?? 0,
            )
            yield* raise
            yield* until("the first score is shown", shown, (score) => score === 1)

            yield* Effect.forEach(links, (link) => link[how], { discard: true })
            const begun = yield* shown
            for (let round = 0; round < ROUNDS; round++) {
              const [reads, increments, signedIn, apiReady, workerReady] = yield* Effect.all(
                [read, raises, login, ready(api.management()), ready(worker.management())],
                { concurrency: "unbounded" },
              )
              assert.deepStrictEqual(
                {
                  reads: reads.status,
                  increments: increments.map(({ status }) => status),
                  login: signedIn.status,
                  api: apiReady,
                  worker: workerReady,
                },
                {
                  reads: expected.reads,
                  increments: ARRIVALS.map(() => expected.increments),
                  login: expected.login,
                  api: expected.api,
                  worker: expected.worker,
                },
                `round ${round}`,
              )
            }
            if (expected.live)
              yield* until("a new score is shown", shown, (score) => score > begun, SHOWN_AGAIN)
            assert.strictEqual(watcher.connections(), 1)
            assert.deepStrictEqual(slow, [])

            yield* Effect.forEach(links, (link) => link.forward, { discard: true })
            yield* until("a read is answered again", read, ({ status }) => status === 200, ANSWERED_AGAIN)
            yield* until(
              "an increment is answered again",
              raise,
              ({ status }) => status === 200,
              ANSWERED_AGAIN,
            )
            yield* until(
              "the sockets show the truth again",
              Effect.all([shown, Truth.top(postgres.url)]),
              ([score, top]) => score === top.find(({ email }) => email.startsWith(player))?.score,
              SHOWN_AGAIN,
            )
            yield* until("the API is ready", ready(api.management()), (state) => state === "200 ready")
            yield* until("the worker is ready", ready(worker.management()), (state) => state === "200 ready")
            yield* until(
              "all messages are sent",
              Truth.waiting(postgres.url),
              (rows) => rows === 0,
              "20 seconds",
            )
            assert.deepStrictEqual(watcher.findings, [])
            for (const name of PROCESSES) assert.deepStrictEqual(processes[name].ends, [])
          }).pipe(Effect.scoped),
        )
      }
    }
  },
)
