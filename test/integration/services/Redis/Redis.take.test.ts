import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { Redis as Client } from "ioredis"
import { Redis } from "../../../../src/services/Redis/Redis.ts"
import * as RedisServer from "../../../../src/services/Redis/RedisServer.ts"
import { type RedisEngine, startRedisServer } from "../../../support/engines/RedisServer.ts"

/** Another client of the same server, for what the service does not do. */
const otherClient = (url: string) =>
  Effect.acquireRelease(
    Effect.sync(() => new Client(url)),
    (client) => Effect.sync(() => client.disconnect()),
  )

/** A test with a server and a service of its own, in real time. */
const onServer = (
  title: string,
  test: (redis: Redis["Service"], server: RedisEngine) => Effect.Effect<void, unknown, Scope.Scope>,
) =>
  it.live(title, () =>
    Effect.gen(function* () {
      const server = yield* startRedisServer()
      const env = ConfigProvider.layer(ConfigProvider.fromEnv({ env: { REDIS_URL: server.url } }))
      yield* Effect.flatMap(Redis, (redis) => test(redis, server)).pipe(
        Effect.provide(RedisServer.layer.pipe(Layer.provide(env))),
      )
    }),
  )

describe("take", () => {
  onServer("keeps a hash of the name, and nothing longer than until the bucket is full", (redis, { url }) =>
    Effect.gen(function* () {
      const client = yield* otherClient(url)
      yield* redis.take({ kind: "login", who: "ada@example.com", burst: 5, refillMicros: 2_000_000 })
      const keys = yield* Effect.promise(() => client.keys("*"))
      assert.strictEqual(keys.length, 1)
      assert.match(keys[0] ?? "", /^limit:login:[\w-]{43}$/)
      const ttl = yield* Effect.promise(() => client.pttl(keys[0] ?? ""))
      assert.isAtMost(ttl, 2_000)
      assert.isAbove(ttl, 0)
    }),
  )

  onServer("fills again in time", (redis) =>
    Effect.gen(function* () {
      const bucket = { kind: "test", who: "refill", burst: 2, refillMicros: 100_000 }
      assert.isTrue((yield* redis.take(bucket)).allowed)
      assert.isTrue((yield* redis.take(bucket)).allowed)
      const refused = yield* redis.take(bucket)
      assert.isFalse(refused.allowed)
      yield* Effect.sleep(refused.waitMillis + 1)
      assert.isTrue((yield* redis.take(bucket)).allowed)
    }),
  )

  onServer("fails, and changes nothing, when the key is of another type", (redis, { url }) =>
    Effect.gen(function* () {
      const client = yield* otherClient(url)
      const bucket = { kind: "test", who: "typed", burst: 2, refillMicros: 100_000_000 }
      yield* redis.take(bucket)
      const [key = ""] = yield* Effect.promise(() => client.keys("*"))
      yield* Effect.promise(() => client.del(key))
      yield* Effect.promise(() => client.hset(key, "a", "b"))
      const error = yield* Effect.flip(redis.take(bucket))
      assert.strictEqual(error.operation, "take")
    }),
  )
})
