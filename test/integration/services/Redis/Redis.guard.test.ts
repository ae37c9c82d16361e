import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import { Redis } from "../../../../src/services/Redis/Redis.ts"
import * as RedisServer from "../../../../src/services/Redis/RedisServer.ts"
import { boardWrite } from "../../../contracts/Redis.ts"
import { startRedisServer } from "../../../support/engines/RedisServer.ts"
import { watchStalls } from "../../../support/stalls.ts"
import * as TcpProxy from "../../../support/engines/TcpProxy.ts"

const redisAt = (port: number) =>
  RedisServer.layer.pipe(
    Layer.provide(
      ConfigProvider.layer(ConfigProvider.fromEnvRecord({ REDIS_URL: `redis://127.0.0.1:${port}` })),
    ),
  )

describe("Redis on redis-server behind a broken network", { concurrent: true }, () => {
  for (const [what, fault] of [
    ["does not answer", ({ stall }: TcpProxy.TcpProxy) => stall],
    // Its connection stays open: every answer arrives, but after the time limit of its command.
    ["answers too late", ({ delay }: TcpProxy.TcpProxy) => delay(500)],
  ] as const)
    it.live(`makes no caller wait for a Redis that ${what}, and uses it again within 2 s`, () =>
      Effect.gen(function* () {
        const { port } = yield* startRedisServer()
        const proxy = yield* TcpProxy.make(port)
        yield* Effect.gen(function* () {
          const redis = yield* Redis
          yield* redis.writeBoard(boardWrite(1))
          yield* fault(proxy)
          const stalls = yield* watchStalls
          const waited: Array<number> = []
          for (let n = 0; n < 20; n++) {
            const from = performance.now()
            yield* Effect.flip(redis.readBoard)
            waited.push(stalls.running(from, performance.now()))
          }
          assert.isAtMost(waited.filter((millis) => millis > 150).length, 1, waited.join(" "))

          yield* proxy.forward
          const healed = performance.now()
          const works = Effect.retry(redis.readBoard, Schedule.spaced("20 millis"))
          assert.deepStrictEqual(yield* works, Option.some(boardWrite(1).json))
          assert.isBelow(stalls.running(healed, performance.now()), 2_000)
        }).pipe(Effect.provide(redisAt(proxy.port)))
      }),
    )
})

// One after the other, because they measure milliseconds; RedisPatience.test.ts has the exact times.
describe("Redis on a slow network", () => {
  for (const millis of [60, 200, 500])
    it.live(`adds little to an attempt while Redis answers ${2 * millis} ms late`, () =>
      Effect.gen(function* () {
        const { port } = yield* startRedisServer()
        const proxy = yield* TcpProxy.make(port)
        yield* Effect.gen(function* () {
          const redis = yield* Redis
          const bucket = { kind: "test", who: "ada", burst: 100_000, refillMicros: 1_000 }
          const works = Effect.retry(redis.take(bucket), Schedule.spaced("20 millis"))
          for (let n = 0; n < 20; n++) yield* works

          const stalls = yield* watchStalls
          const attempts: Array<{ readonly from: number; readonly to: number }> = []
          const attempt = Effect.suspend(() => {
            const from = performance.now()
            return Effect.map(Effect.exit(redis.take(bucket)), () =>
              attempts.push({ from, to: performance.now() }),
            )
          })
          yield* Effect.forkChild(Effect.delay(proxy.delay(millis), "500 millis"))
          yield* Effect.forEach(
            Array.from({ length: 1_000 }, (_, n) => n * 2.5),
            (at) => Effect.delay(attempt, at),
            { concurrency: "unbounded", discard: true },
          )
          yield* Effect.sleep("50 millis")
          // Three times as long as the callers of a machine with time to spare; if all waited, four of five would.
          const waited = attempts.map(({ from, to }) => stalls.running(from, to))
          const long = waited.filter((one) => one > 60)
          assert.isBelow(long.length / waited.length, 0.05, long.join(" "))

          yield* proxy.forward
          const healed = performance.now()
          assert.isTrue((yield* works).allowed)
          assert.isBelow(stalls.running(healed, performance.now()), 2_000)
        }).pipe(Effect.provide(redisAt(proxy.port)))
      }),
    )

  it.live("uses a Redis that is far away", () =>
    Effect.gen(function* () {
      const { port } = yield* startRedisServer()
      const proxy = yield* TcpProxy.make(port)
      yield* proxy.delay(20)
      yield* Effect.gen(function* () {
        const redis = yield* Redis
        const bucket = { kind: "test", who: "ada", burst: 100_000, refillMicros: 1_000 }
        // Each answer comes 40 ms late, which is twice as long as anybody waits before Redis has answered at all. A busy
        // machine adds to some of them, so half of ten attempts in a row is enough, and the test waits for such ten.
        const attempt = Effect.delay(Effect.exit(redis.take(bucket)), "50 millis")
        const lastTen: Array<boolean> = []
        while (lastTen.filter((isTaken) => isTaken).length < 5) {
          lastTen.push(Exit.isSuccess(yield* attempt))
          if (lastTen.length > 10) lastTen.shift()
        }
      }).pipe(Effect.provide(redisAt(proxy.port)))
    }),
  )
})
