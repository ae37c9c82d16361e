import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import { Redis } from "../../../../src/services/Redis/Redis.ts"
import * as RedisServer from "../../../../src/services/Redis/RedisServer.ts"
import { boardWrite } from "../../../contracts/Redis.ts"
import { startRedisServer } from "../../../support/engines/RedisServer.ts"
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
    it.live(
      `makes three callers wait for a Redis that ${what}, and no more, and uses it again within 2 s`,
      () =>
        Effect.gen(function* () {
          const { port } = yield* startRedisServer()
          const proxy = yield* TcpProxy.make(port)
          yield* Effect.gen(function* () {
            const redis = yield* Redis
            yield* redis.writeBoard(boardWrite(1))
            yield* fault(proxy)
            const waited: Array<number> = []
            for (let n = 0; n < 20; n++) {
              const [elapsed] = yield* Effect.timed(Effect.flip(redis.readBoard))
              waited.push(Duration.toMillis(elapsed))
            }
            assert.isAtMost(waited.filter((millis) => millis > 200).length, 3, waited.join(" "))

            yield* proxy.forward
            const works = Effect.retry(redis.readBoard, Schedule.spaced("20 millis"))
            assert.deepStrictEqual(yield* Effect.timeout(works, "2 seconds"), Option.some(boardWrite(1).json))
          }).pipe(Effect.provide(redisAt(proxy.port)))
        }),
    )
})
