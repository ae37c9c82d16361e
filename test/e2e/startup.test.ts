import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { createServer } from "node:net"
import { Client } from "pg"
import { spawn } from "../support/engines/ChildProcess.ts"
import { freePort } from "../support/engines/freePort.ts"
import * as Postgres from "../support/engines/Postgres.ts"
import { request, until } from "../support/fixtures.ts"
import { type Environment, ROOT, runToEnd } from "./fixtures.ts"

const REQUIRED = {
  worker: ["DATABASE_URL", "REDIS_URL", "SQS_QUEUE_URL", "AWS_REGION"],
  api: [
    "DATABASE_URL",
    "REDIS_URL",
    "SQS_QUEUE_URL",
    "AWS_REGION",
    "COGNITO_USER_POOL_ID",
    "COGNITO_CLIENT_ID",
  ],
} as const

const MALFORMED = {
  worker: {
    DATABASE_URL: "somewhere",
    REDIS_URL: "http://127.0.0.1",
    SQS_QUEUE_URL: "scoreboard",
    AWS_ENDPOINT_URL_SQS: "here",
    MANAGEMENT_PORT: "65536",
    SHUTDOWN_TIMEOUT: "soon",
    LOG_LEVEL: "Loud",
    LOG_FORMAT: "xml",
    OTEL_EXPORTER_OTLP_ENDPOINT: "collector",
  },
  api: {
    DATABASE_URL: "mysql://127.0.0.1/scoreboard",
    REDIS_URL: "127.0.0.1:6379",
    SQS_QUEUE_URL: "ftp://127.0.0.1/queue",
    COGNITO_USER_POOL_ID: "pool",
    COGNITO_JWKS_URI: "keys",
    PORT: "http",
    MANAGEMENT_PORT: "-1",
    BROADCAST_INTERVAL: "often",
    WEBSOCKET_MAX_CONNECTIONS: "many",
    WEBSOCKET_MAX_PER_ADDRESS: "1.5",
    SHUTDOWN_TIMEOUT: "10",
  },
} as const

/** Complete and well-formed; nothing answers at any of it. */
const deadEnd = (port: number): Environment => ({
  DATABASE_URL: `postgres://scoreboard:scoreboardpassword@127.0.0.1:${port}/scoreboard`,
  REDIS_URL: `redis://127.0.0.1:${port}`,
  SQS_QUEUE_URL: `http://127.0.0.1:${port}/000000000000/queue`,
  AWS_REGION: "us-east-1",
  COGNITO_USER_POOL_ID: "us-east-1_Pool",
  COGNITO_CLIENT_ID: "client",
  HOST: "127.0.0.1",
  PORT: "0",
})

const fatal = (lines: ReadonlyArray<string>) => lines.filter((line) => line.includes('"FATAL"'))

describe("A process that cannot start", () => {
  for (const main of ["api", "worker"] as const) {
    it.live(`names every missing variable of the ${main} in one line`, () =>
      Effect.gen(function* () {
        const { code, lines } = yield* runToEnd(main, {})
        assert.strictEqual(code, 1)
        assert.strictEqual(lines.length, 1, lines.join("\n"))
        for (const name of REQUIRED[main]) assert.include(lines[0], name)
      }),
    )

    it.live(`names every malformed variable of the ${main} in one line, without its value`, () =>
      Effect.gen(function* () {
        const { code, lines } = yield* runToEnd(main, { ...deadEnd(1), ...MALFORMED[main] })
        assert.strictEqual(code, 1)
        assert.strictEqual(lines.length, 1, lines.join("\n"))
        for (const name of Object.keys(MALFORMED[main])) assert.include(lines[0], name)
        assert.notInclude(lines[0], "127.0.0.1")
      }),
    )

    it.live(`names PostgreSQL when the ${main} cannot reach it, and not the password`, () =>
      Effect.gen(function* () {
        const { code, lines } = yield* runToEnd(main, deadEnd(yield* freePort))
        assert.strictEqual(code, 1)
        assert.strictEqual(fatal(lines).length, 1, lines.join("\n"))
        assert.include(fatal(lines)[0], "PostgreSQL (DATABASE_URL)")
        assert.notInclude(lines.join("\n"), "scoreboardpassword")
      }),
    )
  }

  it.live("is live and not ready while its migrations wait for an older transaction, and then starts", () =>
    Effect.gen(function* () {
      const postgres = yield* Postgres.make()
      const backup = yield* Effect.acquireRelease(
        Effect.promise(async () => {
          const client = new Client({
            connectionString: Redacted.value(postgres.url),
            application_name: "pg_dump",
          })
          await client.connect()
          await client.query("begin isolation level repeatable read")
          await client.query("select 1")
          return client
        }),
        (client) => Effect.promise(() => client.end()),
      )
      const dead = deadEnd(yield* freePort)
      const worker = yield* spawn({
        command: process.execPath,
        args: ["src/main-worker.ts"],
        cwd: ROOT,
        env: {
          PATH: process.env["PATH"],
          ...dead,
          DATABASE_URL: Redacted.value(postgres.url),
          MANAGEMENT_PORT: "0",
          LOG_FORMAT: "json",
        },
        readyWhen: /Migrations are applied first.*"port":(\d+)/,
        readyWithinMillis: 30_000,
      })
      const early = `http://127.0.0.1:${worker.ready[1]}`
      assert.strictEqual((yield* request(`${early}/health/live`)).status, 200)
      const answer = yield* request(`${early}/health/ready`)
      assert.strictEqual(answer.status, 503)
      assert.deepStrictEqual(JSON.parse(answer.body), { status: "migrating", dependencies: {} })
      const lines = Effect.sync(() => worker.lines().join("\n"))
      yield* until("who is waited for", lines, (text) => text.includes('"application":"pg_dump"'))
      yield* Effect.promise(() => backup.query("commit"))
      const served = /Health and metrics are served.*"port":(\d+)/
      const text = yield* until("the start", lines, (all) => served.test(all))
      const ready = yield* request(`http://127.0.0.1:${served.exec(text)?.[1]}/health/ready`)
      assert.include(ready.body, '"postgresql":"up"')
    }),
  )

  it.live("names an occupied port", () =>
    Effect.gen(function* () {
      const postgres = yield* Postgres.make()
      const port = yield* Effect.acquireRelease(
        Effect.callback<{ readonly number: number; readonly close: () => void }>((resume) => {
          const server = createServer().listen(0, "127.0.0.1", () => {
            const address = server.address()
            const number = address !== null && typeof address === "object" ? address.port : 0
            resume(Effect.succeed({ number, close: () => server.close() }))
          })
        }),
        ({ close }) => Effect.sync(close),
      )
      const env = { ...deadEnd(yield* freePort), DATABASE_URL: Redacted.value(postgres.url) }
      const public_ = yield* runToEnd("api", { ...env, PORT: String(port.number) })
      const management = yield* runToEnd("worker", { ...env, MANAGEMENT_PORT: String(port.number) })
      for (const { code, lines } of [public_, management]) {
        assert.strictEqual(code, 1)
        assert.strictEqual(fatal(lines).length, 1, lines.join("\n"))
        assert.include(fatal(lines)[0], `Cannot listen on 127.0.0.1:${port.number}`)
      }
    }),
  )
})
