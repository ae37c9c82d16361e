import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/testing/TestClock"
import { Redis } from "../../../../src/services/Redis/Redis.ts"
import { makeRedisGuard } from "../../../../src/services/Redis/RedisGuard.ts"
import * as RedisMemory from "../../../../src/services/Redis/RedisMemory.ts"
import { makeRedisMemory, type RedisMemoryStore } from "../../../../src/services/Redis/RedisMemory.ts"
import { boardWrite, redisContract, RedisInspector } from "../../../contracts/Redis.ts"

const inspectedMemory = Layer.unwrap(
  Effect.sync(() => {
    const store: RedisMemoryStore = { board: undefined }
    const inspector = RedisInspector.of({
      set: (text, ttlSeconds) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          store.board = { text, expiresAt: now + ttlSeconds * 1_000 }
        }),
      clear: Effect.sync(() => {
        store.board = undefined
      }),
      ttlSeconds: Effect.map(Clock.currentTimeMillis, (now) =>
        store.board === undefined ? undefined : Math.round((store.board.expiresAt - now) / 1_000),
      ),
    })
    return Layer.merge(Layer.succeed(Redis, makeRedisMemory(store)), Layer.succeed(RedisInspector, inspector))
  }),
)

redisContract("Redis in memory", inspectedMemory)

redisContract(
  "Redis in memory behind its guard",
  Layer.effect(Redis, Effect.map(Redis, makeRedisGuard().protect)).pipe(Layer.provideMerge(inspectedMemory)),
)

describe("Redis in memory", () => {
  it.effect("forgets a board 60 seconds after it was last written or renewed", () =>
    Effect.gen(function* () {
      const redis = yield* Redis
      yield* redis.writeBoard(boardWrite(2))
      yield* TestClock.adjust("50 seconds")
      assert.strictEqual(yield* redis.writeBoard(boardWrite(2)), "renewed")
      yield* TestClock.adjust("50 seconds")
      assert.strictEqual(yield* redis.writeBoard(boardWrite(1)), "older")
      yield* TestClock.adjust("9999 millis")
      assert.deepStrictEqual(yield* redis.readBoard, Option.some(boardWrite(2).json))
      yield* TestClock.adjust("1 millis")
      assert.isTrue(Option.isNone(yield* redis.readBoard))
      assert.strictEqual(yield* redis.writeBoard(boardWrite(1)), "written")
    }).pipe(Effect.provide(RedisMemory.layer)),
  )
})
