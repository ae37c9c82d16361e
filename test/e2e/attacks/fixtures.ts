import * as PgClient from "@effect/sql-pg/PgClient"
import { assert } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { randomUUID } from "node:crypto"
import { join } from "node:path"
import { Redis as RedisClient } from "ioredis"
import { spawn } from "../../support/engines/ChildProcess.ts"
import { EDGE_SECRET, startEdge } from "../../support/engines/EdgeServer.ts"
import * as FakeCognito from "../../support/engines/FakeCognito.ts"
import * as Postgres from "../../support/engines/Postgres.ts"
import { startRedisServer } from "../../support/engines/RedisServer.ts"
import { startSqsServer } from "../../support/engines/SqsServer.ts"
import { type IssuerKey, mint } from "../../support/engines/TokenIssuer.ts"
import { request, type RequestOptions } from "../../support/fixtures.ts"

const ROOT = join(import.meta.dirname, "../../..")

type Claims = Readonly<Record<string, unknown>>

/** Two API processes on real engines, and an identity provider whose keys and answers are the test's. */
export class World extends Context.Service<
  World,
  {
    /** `http://host:port` of both processes. */
    readonly urls: readonly [string, string]
    readonly cognito: Effect.Success<typeof FakeCognito.make>
    /** The claims of a genuine access token of this player, but for what is changed. */
    claims(sub: string, change?: Claims): Claims
    /** Forgets everything that Redis has. */
    readonly flushRedis: Effect.Effect<void>
    /** All points, after it was checked that the history has as many. */
    readonly score: Effect.Effect<number>
  }
>()("test/e2e/World") {
  static readonly layer = (env: Readonly<Record<string, string>> = {}) => Layer.effect(World, make(env))
}

/**
 * `EDGE=1`: every attack goes through the edge, whose secret the processes then ask for. It refuses some of them itself,
 * with another 4xx than the API, or with 429.
 */
export const isBehindEdge = process.env["EDGE"] === "1"

const make = Effect.fnUntraced(function* (settings: Readonly<Record<string, string>>) {
  const [postgres, redis, sqs, cognito] = yield* Effect.all(
    [Postgres.make(), startRedisServer(), startSqsServer(), FakeCognito.make],
    { concurrency: "unbounded" },
  )
  const startApi = Effect.map(
    spawn({
      command: process.execPath,
      args: ["src/main-api.ts"],
      cwd: ROOT,
      env: {
        PATH: process.env["PATH"],
        LOG_FORMAT: "json",
        HOST: "127.0.0.1",
        PORT: "0",
        ...sqs.env,
        ...cognito.env,
        DATABASE_URL: Redacted.value(postgres.url),
        REDIS_URL: redis.url,
        ...(isBehindEdge ? { EDGE_SECRET, TRUSTED_PROXY_HOPS: "1" } : {}),
        ...settings,
      },
      readyWhen: /"The API is listening".*"port":(\d+)/,
      readyWithinMillis: 30_000,
    }),
    ({ ready }) => `http://127.0.0.1:${ready[1]}`,
  )
  const startFront = Effect.flatMap(startApi, (url) =>
    isBehindEdge ? Effect.map(startEdge(url), (edge) => edge.url) : Effect.succeed(url),
  )
  const urls: World["Service"]["urls"] = [yield* startFront, yield* startFront]
  const sql = Context.get(
    yield* Layer.build(PgClient.layer({ url: postgres.url, maxConnections: 1 })),
    PgClient.PgClient,
  )
  const score = Effect.gen(function* () {
    const [row] = yield* sql<{ readonly score: number; readonly events: number }>`
select coalesce((select sum(score) from scores), 0)::int as score, coalesce((select sum(coalesce(points, amount)) from score_events), 0)::int as events`
    assert.strictEqual(row?.score, row?.events)
    return row?.score ?? 0
  })
  const client = yield* Effect.acquireRelease(
    Effect.sync(() => new RedisClient(redis.url)),
    (opened) => Effect.sync(() => opened.disconnect()),
  )
  const nowSeconds = () => Math.floor(Date.now() / 1000)
  return World.of({
    urls,
    cognito,
    claims: (sub, change = {}) => ({
      sub,
      iss: cognito.env.COGNITO_ISSUER,
      client_id: cognito.env.COGNITO_CLIENT_ID,
      token_use: "access",
      origin_jti: randomUUID(),
      jti: randomUUID(),
      email: `${sub}@example.com`,
      iat: nowSeconds(),
      exp: nowSeconds() + 600,
      ...change,
    }),
    flushRedis: Effect.asVoid(Effect.promise(() => client.flushall())),
    score: Effect.orDie(score),
  })
})

/** A genuine token of a player. */
export const tokenOf = (sub: string, change: Claims = {}, key: IssuerKey = FakeCognito.key) =>
  Effect.map(World, ({ claims }) => mint(key, claims(sub, change)))

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

/** Sends a request to one of the two processes. */
export const ask = (path: string, options: RequestOptions = {}, process: 0 | 1 = 0) =>
  Effect.flatMap(World, ({ urls }) => request(`${urls[process]}${path}`, options))

export const increment = (token: string, process: 0 | 1 = 0) =>
  ask("/scores/increment", { method: "POST", headers: bearer(token) }, process)

export const post = (body: unknown, headers: Readonly<Record<string, string>> = {}): RequestOptions => ({
  method: "POST",
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify(body),
})
