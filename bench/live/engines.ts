import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { Redis } from "ioredis"
import { spawn } from "../../test/support/engines/ChildProcess.ts"
import * as FakeCognito from "../../test/support/engines/FakeCognito.ts"
import * as Postgres from "../../test/support/engines/Postgres.ts"
import { startRedisServer } from "../../test/support/engines/RedisServer.ts"

const root = new URL("../..", import.meta.url).pathname

/** What a server of boards needs: a database, a Redis, an issuer, all on loopback; they end with the scope. */
export const startEngines = Effect.gen(function* () {
  const identity = yield* FakeCognito.make
  const postgres = yield* Postgres.make()
  const redisServer = yield* startRedisServer()
  const redis = yield* Effect.acquireRelease(
    Effect.sync(() => new Redis(redisServer.url)),
    (client) => Effect.promise(() => client.quit()),
  )
  const env = {
    PATH: process.env["PATH"],
    NODE_ENV: "production",
    HOST: "127.0.0.1",
    PORT: "0",
    LOG_LEVEL: "Info",
    DATABASE_URL: Redacted.value(yield* postgres.freshDatabase),
    REDIS_URL: redisServer.url,
    // Nothing is sent in these benches: the API only needs a name.
    SQS_QUEUE_URL: "http://127.0.0.1:9/000000000000/none",
    AWS_REGION: "us-east-1",
    ...identity.env,
    COGNITO_JWKS_URI: `${identity.env.COGNITO_ISSUER}/.well-known/jwks.json`,
    WEBSOCKET_MAX_PER_ADDRESS: "20000",
  }
  return { redis, env }
})

/** Starts a server that tells what it holds when asked (see gc.ts); it ends with the scope. */
export const startServer = Effect.fnUntraced(function* (options: {
  /** The checkout, this one when left out, and the file in it. */
  readonly folder?: string
  readonly entry: string
  readonly env: Readonly<Record<string, string | undefined>>
}) {
  const server = yield* spawn({
    command: process.execPath,
    args: ["--expose-gc", "--import", "./bench/live/gc.ts", options.entry],
    cwd: options.folder ?? root,
    env: options.env,
    readyWhen: /API is listening.*?"port":"?(\d+)|listening on (\d+)/,
  })
  return { ...server, port: Number(server.ready[1] ?? server.ready[2]) }
})
