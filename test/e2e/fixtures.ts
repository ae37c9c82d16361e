import { assert } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { execFile } from "node:child_process"
import { join } from "node:path"
import { Redis as RedisClient } from "ioredis"
import { type ChildProcess, spawn } from "../support/engines/ChildProcess.ts"
import * as CognitoServer from "../support/engines/CognitoServer.ts"
import * as Postgres from "../support/engines/Postgres.ts"
import { type RedisEngine, startRedisServer } from "../support/engines/RedisServer.ts"
import { type SqsServer, startSqsServer } from "../support/engines/SqsServer.ts"
import { request, until, untilSignedIn } from "../support/fixtures.ts"
import { timedRunning } from "../support/stalls.ts"

export const ROOT = join(import.meta.dirname, "../..")

/** The variables of a process, all of them. */
export type Environment = Readonly<Record<string, string>>

/** What no line of a log may contain: tokens, passwords of test users and of URLs, e-mail addresses. */
const SECRETS = [
  /eyJ[\w-]{8,}/,
  /Pass-word/,
  /scoreboardpassword/,
  /[\w.+-]+@[\w-]+\.\w+/,
  /postgres(?:ql)?:\/\/[^:\s]+:[^@\s]+@/,
]

/** Throws on a line that is no JSON, or tells a secret. */
export const audit = (lines: ReadonlyArray<string>) => {
  for (const line of lines) {
    for (const secret of SECRETS) assert.notMatch(line, secret)
    assert.doesNotThrow(() => JSON.parse(line) as unknown, undefined, undefined, line)
  }
}

/** Starts one of the processes with JSON logs; every line it wrote is audited when it has ended. */
const start = Effect.fnUntraced(function* (
  main: string,
  env: Environment,
  readyWhen: RegExp,
  npmScript = false,
) {
  const collected: { process?: ChildProcess } = {}
  yield* Effect.addFinalizer(() => Effect.sync(() => audit(collected.process?.lines() ?? [])))
  collected.process = yield* spawn({
    command: npmScript ? "npm" : process.execPath,
    args: npmScript ? ["run", "--silent", main] : [`src/main-${main}.ts`],
    cwd: ROOT,
    env: {
      PATH: process.env["PATH"],
      HOME: process.env["HOME"],
      LOG_FORMAT: "json",
      HOST: "127.0.0.1",
      PORT: "0",
      MANAGEMENT_PORT: "0",
      // The attacks are about limits, the other tests are not.
      INCREMENT_RATE_LIMIT: "0",
      LOGIN_RATE_LIMIT: "0",
      ...env,
    },
    readyWhen,
    readyWithinMillis: 30_000,
    stopWithinMillis: 15_000,
  })
  return collected.process
})

const MANAGEMENT = /"Health and metrics are served".*"port":(\d+)/

/** One running process of the system. */
export interface Running {
  readonly process: ChildProcess
  /** Health and metrics. */
  readonly management: string
}

export interface RunningApi extends Running {
  readonly url: string
}

const managementOf = (child: ChildProcess) => {
  const port = child.lines().flatMap((line) => MANAGEMENT.exec(line)?.[1] ?? [])[0]
  return `http://127.0.0.1:${port}`
}

/**
 * Waits for the end after a signal, or several in a row: the exit code, and how long it took in milliseconds, without
 * the stalls of this process.
 */
export const stopped = (running: Running, ...signals: ReadonlyArray<NodeJS.Signals>) =>
  Effect.gen(function* () {
    const [millis, code] = yield* timedRunning(
      Effect.andThen(
        Effect.forEach(signals, (signal) => Effect.delay(running.process.signal(signal), "50 millis"), {
          discard: true,
        }),
        Effect.timeout(running.process.exit, "40 seconds"),
      ),
    )
    return { code, millis }
  })

/** Starts an API process and waits until it listens. */
export const startApi = Effect.fnUntraced(function* (
  env: Environment,
  options: { readonly npm?: boolean } = {},
) {
  const child = yield* start("api", env, /"The API is listening".*"port":(\d+)/, options.npm)
  const api: RunningApi = {
    process: child,
    url: `http://127.0.0.1:${child.ready[1]}`,
    management: managementOf(child),
  }
  return api
})

/** Starts a worker process and waits until its health is served. */
export const startWorker = Effect.fnUntraced(function* (env: Environment) {
  const child = yield* start("worker", env, MANAGEMENT)
  const worker: Running = { process: child, management: managementOf(child) }
  return worker
})

/** How a process ended that was not meant to live. */
export interface Ended {
  readonly code: number
  readonly lines: ReadonlyArray<string>
}

/** Runs a script to its end, at most a minute, with these variables and no others. */
export const runScript = (
  script: string,
  args: ReadonlyArray<string> = [],
  env: Environment = {},
  cwd = ROOT,
) =>
  Effect.callback<Ended>((resume) => {
    const child = execFile(
      process.execPath,
      [join(ROOT, script), ...args],
      { cwd, env: { PATH: process.env["PATH"], ...env }, timeout: 60_000, killSignal: "SIGKILL" },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1
        resume(
          Effect.succeed({ code, lines: `${stdout}\n${stderr}`.split("\n").filter((line) => line !== "") }),
        )
      },
    )
    return Effect.sync(() => void child.kill("SIGKILL"))
  })

/** Runs a main file to its end. */
export const runToEnd = (main: string, env: Environment, cwd = ROOT) =>
  runScript(`src/main-${main}.ts`, [], env, cwd)

/** The real engines, one of each, and the variables by which a process finds them. */
export class Engines extends Context.Service<
  Engines,
  {
    readonly postgres: Postgres.PostgresEngine
    readonly redis: RedisEngine
    readonly sqs: SqsServer
    readonly cognito: CognitoServer.CognitoEngine
    readonly env: Environment
  }
>()("test/e2e/Engines") {
  static readonly make = Effect.fnUntraced(function* (options: { readonly users: number }) {
    const [postgres, redis, sqs, cognito] = yield* Effect.all(
      [Postgres.make(), startRedisServer(), startSqsServer(), CognitoServer.make(options)],
      { concurrency: "unbounded" },
    )
    const env = {
      ...sqs.env,
      ...cognito.env,
      DATABASE_URL: Redacted.value(postgres.url),
      REDIS_URL: redis.url,
    }
    return Engines.of({ postgres, redis, sqs, cognito, env })
  })
  static readonly layer = (options: { readonly users: number }) =>
    Layer.effect(Engines, Engines.make(options))
}

/** A client of the redis-server for what the test looks at itself. */
export const redisClient = (url: string) =>
  Effect.acquireRelease(
    Effect.sync(() => new RedisClient(url)),
    (client) => Effect.sync(() => client.disconnect()),
  )

const Tokens = Schema.fromJsonString(
  Schema.Struct({ accessToken: Schema.String, refreshToken: Schema.String }),
)

/** Signs in and gives the access token. */
export const signIn = (url: string, user: { readonly email: string; readonly password: string }) =>
  Effect.gen(function* () {
    const answer = yield* untilSignedIn(
      request(`${url}/users/auth/login`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ email: user.email, password: user.password }),
      }),
    )
    assert.strictEqual(answer.status, 200, answer.body)
    return Schema.decodeUnknownSync(Tokens)(answer.body).accessToken
  })

/** Raises the score of the token's player by one; gives the whole answer. */
export const increment = (url: string, token: string) =>
  request(`${url}/scores/increment`, { method: "POST", headers: { authorization: `Bearer ${token}` } })

const Report = Schema.fromJsonString(
  Schema.Struct({ status: Schema.String, dependencies: Schema.Record(Schema.String, Schema.String) }),
)

/** What a process says of its readiness: the HTTP status, its word, and the dependencies that are away. */
const readiness = (management: string) =>
  Effect.map(request(`${management}/health/ready`), ({ status, body }) => {
    const report = Schema.decodeUnknownSync(Report)(body)
    const away = Object.entries(report.dependencies).flatMap(([name, state]) =>
      state === "up" ? [] : [name],
    )
    return `${status} ${report.status}${away.length === 0 ? "" : ` without ${away.toSorted().join(", ")}`}`
  })

/** Waits until a process says this of its readiness. */
export const untilReadiness = (management: string, wanted: string) =>
  until(`readiness "${wanted}"`, readiness(management), (seen) => seen === wanted, "30 seconds")
