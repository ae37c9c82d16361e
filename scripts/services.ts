import { mkdir } from "node:fs/promises"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { DEMO_USERS } from "../src/programs/process/DemoUsers.ts"
import { explain, teardown } from "../src/programs/process/Startup.ts"
import { outlastSignals } from "../src/services/ProcessSignals.ts"
import { startCognito } from "./services/Cognito.ts"
import { ServicesFailure } from "./services/Failure.ts"
import { serveHealth } from "./services/Health.ts"
import { HELP, type Options, readOptions } from "./services/Options.ts"
import { ensureFree } from "./services/Ports.ts"
import type { Part } from "./services/Part.ts"
import { startPostgres } from "./services/Postgres.ts"
import { startRedis } from "./services/Redis.ts"
import { ensureWritable, tellSettings } from "./services/Settings.ts"
import { startSqs } from "./services/Sqs.ts"

const START = { postgres: startPostgres, redis: startRedis, sqs: startSqs, cognito: startCognito }

const greet = ({ services, data, ports, host }: Options) =>
  Console.error(
    [
      `Running: ${services.join(", ")}; data in ${data}; health on http://${host}:${ports.health}/`,
      ...(services.includes("cognito")
        ? [
            `Sign in as ${DEMO_USERS.map(({ email }) => email).join(", ")}; password ${[...new Set(DEMO_USERS.map(({ password }) => password))].join(", ")}`,
          ]
        : []),
      "Ctrl-C stops everything",
    ].join("\n"),
  )

/** Never ends by itself, but with the first part that does. */
const untilOneEnds = (parts: ReadonlyArray<Part>) =>
  Effect.raceAllFirst(
    parts.map(({ name, ended, log }) =>
      Effect.andThen(
        ended,
        Effect.fail(
          new ServicesFailure({ message: `${name} has ended, so everything is stopped: see ${log}` }),
        ),
      ),
    ),
  )

const run = Effect.fnUntraced(function* (options: Options) {
  const { services, ports, host, data } = options
  yield* ensureWritable(options)
  yield* ensureFree([...services, "health" as const].map((name) => ({ name, host, port: ports[name] })))
  yield* Effect.tryPromise({
    try: () => mkdir(data, { recursive: true }),
    catch: (cause) => new ServicesFailure({ message: `${data} cannot be created: ${String(cause)}` }),
  })
  const health = yield* serveHealth(host, ports.health)
  const parts = yield* Effect.forEach(services, (name) => START[name](options), { concurrency: "unbounded" })
  yield* tellSettings(options, parts)
  yield* greet(options)
  yield* health.ready
  return yield* untilOneEnds(parts)
})

outlastSignals()
Effect.flatMap(readOptions(process.argv.slice(2)), (options) =>
  options === "help" ? Console.log(HELP) : Effect.scoped(run(options)),
).pipe(
  Effect.tapError((error) => Console.error(explain(error))),
  // Standard output carries the settings only.
  Effect.provide(Logger.layer([Logger.withConsoleError(Logger.formatLogFmt)])),
  NodeRuntime.runMain({ disableErrorReporting: true, teardown }),
)
