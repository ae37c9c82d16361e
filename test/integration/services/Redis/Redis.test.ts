import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { Redis as Client } from "ioredis"
import { inspect } from "node:util"
import { BOARD_CHANNEL, BOARD_KEY } from "../../../../src/domain/BoardCache.ts"
import { Redis } from "../../../../src/services/Redis/Redis.ts"
import * as RedisServer from "../../../../src/services/Redis/RedisServer.ts"
import { boardWrite, listen, redisContract, RedisInspector } from "../../../contracts/Redis.ts"
import { freePort } from "../../../support/engines/freePort.ts"
import { type RedisEngine, startRedisServer } from "../../../support/engines/RedisServer.ts"

const redisAt = (url: string) =>
  RedisServer.layer.pipe(
    Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env: { REDIS_URL: url } }))),
  )

/** Another client of the same server, for what the service does not do. */
const otherClient = (url: string) =>
  Effect.acquireRelease(
    Effect.sync(() => new Client(url)),
    (client) => Effect.sync(() => client.disconnect()),
  )

const inspectorAt = (url: string) =>
  Layer.effect(
    RedisInspector,
    Effect.map(otherClient(url), (client) =>
      RedisInspector.of({
        set: (text, ttlSeconds) => Effect.promise(() => client.set(BOARD_KEY, text, "EX", ttlSeconds)),
        clear: Effect.promise(() => client.del(BOARD_KEY)),
        ttlSeconds: Effect.map(
          Effect.promise(() => client.ttl(BOARD_KEY)),
          (ttl) => (ttl < 0 ? undefined : ttl),
        ),
      }),
    ),
  )

redisContract(
  "Redis on redis-server",
  Layer.unwrap(Effect.map(startRedisServer(), ({ url }) => Layer.merge(redisAt(url), inspectorAt(url)))),
)

const untilAnswered = Effect.flatMap(Redis, (redis) =>
  Effect.retry(redis.ping, Schedule.spaced("20 millis")).pipe(Effect.timeout("10 seconds")),
)

/** A test with a server and a service of its own, in real time. */
const onServer = (
  title: string,
  test: (redis: Redis["Service"], server: RedisEngine) => Effect.Effect<void, unknown, Redis | Scope.Scope>,
) =>
  it.live(title, () =>
    Effect.flatMap(startRedisServer(), (server) =>
      Effect.flatMap(Redis, (redis) => test(redis, server)).pipe(Effect.provide(redisAt(server.url))),
    ),
  )

// Each has a server of its own, and most of them wait for time to pass.
describe("Redis on redis-server", { concurrent: true }, () => {
  onServer("takes a key of the wrong type for none, and replaces it", (redis, { url }) =>
    Effect.gen(function* () {
      const client = yield* otherClient(url)
      yield* Effect.promise(() => client.hset(BOARD_KEY, "scores", "[]"))
      assert.isTrue(Option.isNone(yield* redis.readBoard))
      assert.strictEqual(yield* redis.writeBoard(boardWrite(1)), "written")
      assert.deepStrictEqual(yield* redis.readBoard, Option.some(boardWrite(1).json))
      assert.isAbove(yield* Effect.promise(() => client.ttl(BOARD_KEY)), 0)
    }),
  )

  onServer("gives a board that another tool stored for ever a time to live", (redis, { url }) =>
    Effect.gen(function* () {
      const client = yield* otherClient(url)
      yield* Effect.promise(() => client.set(BOARD_KEY, boardWrite(1).json))
      assert.strictEqual(yield* redis.writeBoard(boardWrite(1)), "renewed")
      assert.isAbove(yield* Effect.promise(() => client.ttl(BOARD_KEY)), 0)
    }),
  )

  onServer("passes on what another tool publishes", (redis, { url }) =>
    Effect.gen(function* () {
      const client = yield* otherClient(url)
      const { next } = yield* listen
      yield* next
      yield* Effect.promise(() => client.publish(BOARD_CHANNEL, ""))
      assert.deepStrictEqual(yield* next, { _tag: "Published", json: "" })
      yield* redis.ping
    }),
  )

  onServer("sends its script again when Redis has forgotten it", (redis, { url }) =>
    Effect.gen(function* () {
      const client = yield* otherClient(url)
      yield* redis.writeBoard(boardWrite(1))
      yield* redis.writeBoard(boardWrite(2))
      yield* Effect.promise(() => client.script("FLUSH"))
      const outcomes = yield* Effect.all(
        [redis.writeBoard(boardWrite(3)), redis.writeBoard(boardWrite(4)), redis.ping],
        { concurrency: "unbounded" },
      )
      assert.deepStrictEqual(outcomes, ["written", "written", undefined])
    }),
  )

  onServer("fails a write that Redis refuses without telling what was to be written", (redis, { url }) =>
    Effect.gen(function* () {
      const client = yield* otherClient(url)
      yield* Effect.promise(() => client.config("SET", "maxmemory", "1"))
      const failure = yield* Effect.flip(redis.writeBoard(boardWrite(1)))
      assert.strictEqual(failure.operation, "writeBoard")
      assert.match(inspect(failure, { depth: null }), /OOM/)
      assert.notMatch(inspect(failure, { depth: null }), /ada@example|redis\.call/)
    }),
  )

  onServer("fails within a second while Redis is gone, and works again after its return", (redis, server) =>
    Effect.gen(function* () {
      const { next } = yield* listen
      yield* redis.writeBoard(boardWrite(7))
      assert.strictEqual((yield* next)._tag, "Subscribed")
      assert.strictEqual((yield* next)._tag, "Published")

      yield* server.kill
      for (const command of [redis.readBoard, redis.writeBoard(boardWrite(8)), redis.ping]) {
        const failure = yield* Effect.flip(Effect.timeout(command, "1 second"))
        assert.strictEqual(failure._tag, "RedisFailure")
      }

      yield* server.start
      yield* untilAnswered
      assert.strictEqual((yield* next)._tag, "Subscribed")
      assert.strictEqual(yield* redis.writeBoard(boardWrite(1)), "written")
      assert.deepStrictEqual(yield* next, { _tag: "Published", json: boardWrite(1).json })
    }),
  )

  onServer(
    "fails within a second while Redis does not answer, and works again when it does",
    (redis, server) =>
      Effect.gen(function* () {
        yield* redis.writeBoard(boardWrite(1))
        yield* server.pause
        // The first fails by the time limit of a command; later ones find that the connection was replaced.
        for (let attempt = 0; attempt < 8; attempt++) {
          const failure = yield* Effect.flip(Effect.timeout(redis.readBoard, "1 second"))
          assert.strictEqual(failure._tag, "RedisFailure")
          yield* Effect.sleep("150 millis")
        }
        yield* server.resume
        yield* untilAnswered
        assert.deepStrictEqual(yield* redis.readBoard, Option.some(boardWrite(1).json))
      }),
  )

  onServer("replaces a subscription whose connection does not answer", (_redis, server) =>
    Effect.gen(function* () {
      const { next } = yield* listen
      assert.strictEqual((yield* next)._tag, "Subscribed")
      yield* server.pause
      // One heartbeat of 3 s and 3 s without an answer, and some for a busy machine.
      yield* Effect.sleep("7 seconds")
      yield* server.resume
      // The old connection would say nothing of what was lost.
      assert.strictEqual((yield* next)._tag, "Subscribed")
    }),
  )

  it.live("starts while Redis is unavailable, and connects when it is back", () =>
    Effect.gen(function* () {
      const server = yield* startRedisServer()
      yield* server.kill
      yield* Effect.gen(function* () {
        const redis = yield* Redis
        const { next } = yield* listen
        assert.strictEqual((yield* Effect.flip(redis.readBoard))._tag, "RedisFailure")
        yield* server.start
        yield* untilAnswered
        assert.strictEqual((yield* next)._tag, "Subscribed")
        assert.strictEqual(yield* redis.writeBoard(boardWrite(1)), "written")
      }).pipe(Effect.provide(redisAt(server.url)))
    }),
  )

  it.live("subscribes as soon as Redis allows it", () =>
    Effect.gen(function* () {
      const { url } = yield* startRedisServer()
      const client = yield* otherClient(url)
      yield* Effect.promise(() => client.acl("SETUSER", "default", "resetchannels"))
      yield* Effect.gen(function* () {
        const redis = yield* Redis
        const { next } = yield* listen
        yield* redis.ping
        yield* Effect.promise(() => client.acl("SETUSER", "default", "allchannels"))
        assert.strictEqual((yield* next)._tag, "Subscribed")
      }).pipe(Effect.provide(redisAt(url)))
    }),
  )

  onServer("writes again after the primary was a replica for a while", (redis, { url }) =>
    Effect.gen(function* () {
      const client = yield* otherClient(url)
      const unused = yield* freePort
      yield* Effect.promise(() => client.replicaof("127.0.0.1", unused))
      const failure = yield* Effect.flip(redis.writeBoard(boardWrite(1)))
      assert.match(inspect(failure, { depth: null }), /READONLY/)
      yield* Effect.promise(() => client.replicaof("NO", "ONE"))
      yield* untilAnswered
      assert.strictEqual(yield* redis.writeBoard(boardWrite(1)), "written")
    }),
  )

  it.live("starts and stops in time while Redis does not answer", () =>
    Effect.gen(function* () {
      const server = yield* startRedisServer()
      yield* server.pause
      const failure = yield* Effect.flatMap(Redis, (redis) => Effect.flip(redis.readBoard)).pipe(
        Effect.provide(redisAt(server.url)),
        Effect.timeout("4 seconds"),
      )
      assert.strictEqual(failure._tag, "RedisFailure")
    }),
  )

  it.live("logs once that Redis is unavailable and once that it is back, and never how it signs in", () =>
    Effect.gen(function* () {
      const logged: Array<string> = []
      const logger = Logger.layer([
        Logger.make(({ message }) => logged.push(inspect(message, { depth: null }))),
      ])
      const count = (text: string) =>
        logged.filter((line) => line.includes(text) && line.includes("'commands'")).length
      const server = yield* startRedisServer({ password: "correct-horse" })

      yield* Effect.gen(function* () {
        yield* untilAnswered
        yield* server.kill
        yield* Effect.sleep("2 seconds")
        yield* server.start
        yield* untilAnswered
      }).pipe(Effect.provide(redisAt(server.url).pipe(Layer.provide(logger))))
      assert.strictEqual(count("is unavailable"), 1)
      assert.strictEqual(count("is connected"), 2)

      const wrong = server.url.replace("correct-horse", "battery-staple")
      yield* Effect.flatMap(Redis, (redis) => Effect.flip(redis.ping)).pipe(
        Effect.provide(redisAt(wrong).pipe(Layer.provide(logger))),
      )
      assert.strictEqual(count("WRONGPASS"), 1)
      assert.notMatch(logged.join("\n"), /correct-horse|battery-staple/)
    }),
  )

  it.live("refuses a malformed REDIS_URL by name, without showing it", () =>
    Effect.gen(function* () {
      for (const url of [
        "redis://:s3cret@host:70000",
        "http://:s3cret@host",
        "redis://:s3%cret@host",
        "s3cret",
      ]) {
        const failure = yield* Effect.flip(Effect.scoped(Layer.build(redisAt(url))))
        assert.strictEqual(failure._tag, "ConfigError")
        assert.match(String(failure), /REDIS_URL/)
        assert.notMatch(inspect(failure, { depth: null }), /s3cret|s3%cret/)
      }
    }),
  )
})
