import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { UserId } from "../../../../src/domain/Score.ts"
import { Limits } from "../../../../src/programs/http/Limits.ts"
import { Redis, RedisFailure } from "../../../../src/services/Redis/Redis.ts"
import type { Bucket, Taken } from "../../../../src/services/Redis/Redis.ts"
import { makeRedisGuard } from "../../../../src/services/Redis/RedisGuard.ts"

const ADA = UserId.make("ada")
const FREE: Taken = { allowed: true, remaining: 1, waitMillis: 0 }
const away = new RedisFailure({ operation: "take", cause: new Error("away") })

/** The limits on a guarded Redis whose answers are the test's; `asked` are the buckets that it was asked for. */
const setup = Effect.fnUntraced(function* (env: Readonly<Record<string, string>> = {}) {
  const redis = { away: false, taken: FREE, asked: [] as Array<Bucket> }
  const layer = Limits.layer.pipe(
    Layer.provide(
      Layer.effect(Redis, Effect.map(Redis, makeRedisGuard().protect)).pipe(
        Layer.provide(
          Layer.mock(Redis)({
            readBoard: Effect.succeedNone,
            renewBoard: Effect.void,
            take: (bucket) =>
              Effect.suspend(() => {
                redis.asked.push(bucket)
                return redis.away ? Effect.fail(away) : Effect.succeed(redis.taken)
              }),
          }),
        ),
      ),
    ),
    Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(env))),
  )
  const limits = Context.get(yield* Layer.build(layer), Limits)
  const request = HttpServerRequest.fromWeb(new Request("http://127.0.0.1/"))
  const run = <A, E>(effect: Effect.Effect<A, E, HttpServerRequest.HttpServerRequest>) =>
    Effect.provideService(effect, HttpServerRequest.HttpServerRequest, request)
  return { redis, limits, run }
})

describe("Limits", () => {
  it.effect("ask Redis once for an increment, with the numbers of the configuration", () =>
    Effect.gen(function* () {
      const { redis, limits, run } = yield* setup({
        INCREMENT_RATE_LIMIT: "4",
        INCREMENT_RATE_BURST: "7",
      })
      yield* run(limits.increment(ADA))
      assert.deepStrictEqual(redis.asked, [
        { kind: "increment", who: "ada", burst: 7, refillMicros: 250_000 },
      ])
    }),
  )

  it.effect("do not ask for what is off", () =>
    Effect.gen(function* () {
      const { redis, limits, run } = yield* setup({
        INCREMENT_RATE_LIMIT: "0",
        LOGIN_RATE_LIMIT: "0",
        LOGIN_RATE_LIMIT_ADDRESS: "0",
      })
      yield* run(limits.increment(ADA))
      yield* run(limits.login("ada@example.com", "1.1.1.1"))
      assert.deepStrictEqual(redis.asked, [])
    }),
  )

  it.effect("use up no account for an address that has nothing left", () =>
    Effect.gen(function* () {
      const { redis, limits, run } = yield* setup()
      redis.taken = { allowed: false, remaining: 0, waitMillis: 1_500 }
      const error = yield* Effect.flip(run(limits.login("ada@example.com", "1.1.1.1")))
      assert.strictEqual(error.retryAfterSeconds, 2)
      assert.deepStrictEqual(
        redis.asked.map(({ kind, who }) => [kind, who]),
        [["login-address", "1.1.1.1"]],
      )
    }),
  )

  it.effect("do not ask a Redis that failed for a second, and are counted by this process meanwhile", () =>
    Effect.gen(function* () {
      const { redis, limits, run } = yield* setup({ INCREMENT_RATE_LIMIT: "1", INCREMENT_RATE_BURST: "2" })
      redis.away = true
      yield* run(limits.increment(ADA))
      yield* run(limits.increment(ADA))
      for (let n = 0; n < 10; n++) {
        const error = yield* Effect.flip(run(limits.increment(ADA)))
        assert.strictEqual(error._tag, "TooManyRequests")
      }
      assert.strictEqual(redis.asked.length, 3)

      redis.away = false
      yield* TestClock.adjust("1 second")
      yield* run(limits.increment(ADA))
      yield* run(limits.increment(ADA))
      assert.strictEqual(redis.asked.length, 5)
    }),
  )
})
