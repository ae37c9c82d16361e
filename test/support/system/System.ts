import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as FakeCognito from "../engines/FakeCognito.ts"
import { freePort } from "../engines/freePort.ts"
import { startRedisPair } from "../engines/RedisPair.ts"
import { startSqsServer } from "../engines/SqsServer.ts"
import * as TcpProxy from "../engines/TcpProxy.ts"
import { mint } from "../engines/TokenIssuer.ts"
import { type Database, makeDatabase } from "./Database.ts"
import { type Dependency, type ProcessName, PROCESSES } from "./Names.ts"
import { type Supervised, supervise } from "./Supervised.ts"

type Links = Readonly<Record<Dependency, TcpProxy.TcpProxy>>

const through = (url: string, proxy: TcpProxy.TcpProxy) => {
  const moved = new URL(url)
  moved.port = String(proxy.port)
  return moved.href
}

/** The engines, and the environment in which a process reaches them through links of its own. */
const makeEngines = Effect.gen(function* () {
  const [postgres, redis, sqs, cognito] = yield* Effect.all(
    [makeDatabase, startRedisPair, startSqsServer(), FakeCognito.make],
    { concurrency: "unbounded" },
  )
  const issuer = cognito.env.COGNITO_ISSUER
  const links = Effect.gen(function* () {
    const made: Links = {
      postgres: yield* TcpProxy.make(postgres.port),
      redis: yield* TcpProxy.make(redis.primary().port),
      sqs: yield* TcpProxy.make(Number(new URL(sqs.endpoint).port)),
      cognito: yield* TcpProxy.make(Number(new URL(issuer).port)),
    }
    return made
  })
  const environment = (via: Links) => ({
    PATH: process.env["PATH"],
    HOST: "127.0.0.1",
    MANAGEMENT_PORT: "0",
    LOG_FORMAT: "json",
    // The question here is whether a request is counted, not how many are allowed.
    INCREMENT_RATE_LIMIT: "0",
    ...sqs.env,
    ...cognito.env,
    DATABASE_URL: through(Redacted.value(postgres.url), via.postgres),
    REDIS_URL: through(redis.primary().url, via.redis),
    AWS_ENDPOINT_URL_SQS: through(sqs.endpoint, via.sqs),
    AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: through(issuer, via.cognito),
    COGNITO_JWKS_URI: `${through(issuer, via.cognito)}/.well-known/jwks.json`,
  })
  return { postgres, redis, cognito, issuer, links, environment }
})

const makeSystem = Effect.gen(function* () {
  const { postgres, redis, cognito, issuer, links, environment } = yield* makeEngines
  const start = Effect.fnUntraced(function* (name: ProcessName) {
    const via = yield* links
    const port = yield* freePort
    const supervised = yield* supervise({
      name,
      main: name.startsWith("api") ? "src/main-api.ts" : "src/main-worker.ts",
      env: { ...environment(via), PORT: String(port) },
    })
    const made: SystemProcess = { name, links: via, url: `http://127.0.0.1:${port}`, ...supervised }
    return made
  })
  const processes = yield* Effect.all(
    {
      "api-1": start("api-1"),
      "api-2": start("api-2"),
      "worker-1": start("worker-1"),
      "worker-2": start("worker-2"),
    },
    { concurrency: "unbounded" },
  )
  return System.of({
    postgres,
    redis,
    cognito,
    processes,
    movePostgres: Effect.fnUntraced(function* (moved, afterMillis) {
      const [first, ...others] = PROCESSES
      for (const names of [others, [first]]) {
        yield* Effect.sleep(afterMillis)
        yield* Effect.forEach(names, (name) => processes[name].links.postgres.retarget(moved), {
          concurrency: "unbounded",
          discard: true,
        })
      }
    }),
    token: (userId, email) => {
      const nowSeconds = Math.floor(Date.now() / 1000)
      const claims = { sub: userId, iss: issuer, iat: nowSeconds, exp: nowSeconds + 24 * 3600 }
      return mint(FakeCognito.key, { ...claims, token_use: "access", client_id: FakeCognito.CLIENT, email })
    },
  })
})

/** One process of the system under test, with its own links to the dependencies. */
export interface SystemProcess extends Supervised {
  readonly name: ProcessName
  readonly links: Links
  /** The URL of an API. It stays the same over restarts. */
  readonly url: string
}

/** Two APIs and two workers as processes on real engines; every connection to an engine goes through a proxy. */
export class System extends Context.Service<
  System,
  {
    readonly postgres: Database
    readonly redis: Effect.Success<typeof startRedisPair>
    readonly cognito: Effect.Success<typeof FakeCognito.make>
    readonly processes: Readonly<Record<ProcessName, SystemProcess>>
    /** Moves PostgreSQL's address to a port: after `afterMillis` for all processes but one, after twice that for it. */
    movePostgres(port: number, afterMillis: number): Effect.Effect<void>
    /** An access token that is valid for a day and carries the e-mail. */
    token(userId: string, email: string): string
  }
>()("test/System") {
  static readonly layer = Layer.effect(
    System,
    Effect.suspend(() => makeSystem),
  )
}
