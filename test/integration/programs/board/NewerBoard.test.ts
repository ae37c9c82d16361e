import { assert, layer } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Redis as RedisClient } from "ioredis"
import { BOARD_CHANNEL, BOARD_KEY, BOARD_TTL_SECONDS } from "../../../../src/domain/BoardCache.ts"
import { BoardUpdateJson } from "../../../../src/domain/Messages.ts"
import { UserId } from "../../../../src/domain/Score.ts"
import { Board } from "../../../../src/programs/board/Board.ts"
import { Refresher } from "../../../../src/programs/board/Refresher.ts"
import { Redis } from "../../../../src/services/Redis/Redis.ts"
import * as RedisServer from "../../../../src/services/Redis/RedisServer.ts"
import { Sql } from "../../../../src/services/Sql/Sql.ts"
import * as SqlPostgres from "../../../../src/services/Sql/SqlPostgres.ts"
import * as Postgres from "../../../support/engines/Postgres.ts"
import { startRedisServer } from "../../../support/engines/RedisServer.ts"

/** Between the select of a board and its write, at most: several commits fit in. */
const DELAY_MILLIS = 30

const INCREMENTS = 400
const COMMITTERS = 4

class Engines extends Context.Service<
  Engines,
  {
    readonly postgres: Postgres.PostgresEngine
    readonly redisUrl: string
  }
>()("test/NewerBoard/Engines") {
  static readonly layer = Layer.effect(
    Engines,
    Effect.gen(function* () {
      const [postgres, redis] = yield* Effect.all([Postgres.make(), startRedisServer()], { concurrency: 2 })
      return Engines.of({ postgres, redisUrl: redis.url })
    }),
  )
}

/** PostgreSQL whose boards arrive late, each by another time. */
const late = Layer.effect(
  Sql,
  Effect.map(Sql, (real) =>
    Sql.of({
      ...real,
      top: (limit) => Effect.tap(real.top(limit), () => Effect.sleep(Math.random() * DELAY_MILLIS)),
    }),
  ),
)

/** Redis that takes every board, whatever is there. */
const withoutCompareAndSet = (client: RedisClient) =>
  Layer.effect(
    Redis,
    Effect.map(Redis, (real) =>
      Redis.of({
        ...real,
        writeBoard: ({ json }) =>
          Effect.promise(async () => {
            await client
              .multi()
              .set(BOARD_KEY, json, "EX", BOARD_TTL_SECONDS)
              .publish(BOARD_CHANNEL, json)
              .exec()
            return "written" as const
          }),
      }),
    ),
  )

const decodeUpdate = Schema.decodeUnknownSync(BoardUpdateJson)

/** Counts how often a version is lower than one before it. */
const makeWitness = () => {
  const seen = { boards: 0, backwards: 0, newest: -1 }
  return {
    seen,
    tell: (version: number | undefined) => {
      if (version === undefined || version === seen.newest) return
      seen.boards += 1
      if (version < seen.newest) seen.backwards += 1
      seen.newest = version
    },
  }
}

/**
 * Two workers refresh as fast as they can, two APIs read as fast as they can, players score. Gives the boards
 * that were published and that each API showed, and how many of them were older than the one before.
 */
const race = Effect.fnUntraced(
  function* (replacing: (client: RedisClient) => Layer.Layer<never, never, Redis>) {
    const { postgres, redisUrl } = yield* Engines
    const client = yield* Effect.acquireRelease(
      Effect.sync(() => new RedisClient(redisUrl)),
      (opened) => Effect.sync(() => opened.disconnect()),
    )
    yield* Effect.promise(() => client.flushall())
    const services = late.pipe(
      Layer.merge(replacing(client)),
      Layer.provideMerge(
        Layer.merge(
          SqlPostgres.layerFrom(yield* postgres.freshDatabase),
          RedisServer.layer.pipe(
            Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord({ REDIS_URL: redisUrl }))),
          ),
        ),
      ),
    )
    const shared = yield* Layer.build(services)
    const sql = Context.get(shared, Sql)

    const published = makeWitness()
    yield* Context.get(shared, Redis).notifications.pipe(
      Stream.runForEach((notification) =>
        Effect.sync(() => {
          if (notification._tag === "Published") published.tell(decodeUpdate(notification.json).version)
        }),
      ),
      Effect.forkScoped,
    )
    const worker = Layer.build(
      Layer.fresh(Refresher.layer.pipe(Layer.provide(Layer.fresh(Board.layer)))),
    ).pipe(
      Effect.flatMap((built) => Effect.forkScoped(Effect.forever(Context.get(built, Refresher).refresh(1)))),
    )
    const api = Effect.gen(function* () {
      const board = Context.get(yield* Layer.build(Layer.fresh(Board.layer)), Board)
      const witness = makeWitness()
      const read = Effect.map(board.current, ({ update }) => witness.tell(update.version))
      yield* Effect.forkScoped(Effect.forever(Effect.andThen(read, Effect.sleep("1 millis"))))
      return witness
    })
    const shown = yield* Effect.gen(function* () {
      yield* worker
      yield* worker
      return yield* Effect.all([api, api])
    }).pipe(Effect.provide(shared))

    yield* Effect.forEach(
      Array.from({ length: INCREMENTS }, (_, index) => UserId.make(`player-${index % 20}`)),
      (userId) =>
        Effect.andThen(
          sql.increment([{ userId, email: `${userId}@example.com`, key: "", tokenId: "" }]),
          Effect.sleep("5 millis"),
        ),
      { concurrency: COMMITTERS, discard: true },
    )
    return [published, ...shown].map(({ seen }) => seen)
  },
  Effect.scoped,
  Effect.provideService(References.MinimumLogLevel, "Warn"),
)

layer(Engines.layer, { timeout: "60 seconds", excludeTestServices: true })(
  "Two workers and two APIs, with a delay between select and write",
  (it) => {
    it.effect("never show an older board after a newer one", () =>
      Effect.gen(function* () {
        for (const { boards, backwards } of yield* race(() => Layer.empty)) {
          assert.isAbove(boards, 20)
          assert.strictEqual(backwards, 0)
        }
      }),
    )

    it.effect("would be told older boards, if Redis took every one", () =>
      Effect.gen(function* () {
        const [published, ...shown] = yield* race(withoutCompareAndSet)
        assert.isAbove(published?.backwards ?? 0, 0)
        // An API also guards itself: it shows no board older than its last.
        for (const { backwards } of shown) assert.strictEqual(backwards, 0)
      }),
    )
  },
)
