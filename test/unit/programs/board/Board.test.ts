import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/testing/TestClock"
import type { Board as StampedBoard } from "../../../../src/domain/Score.ts"
import { readStampTag } from "../../../../src/client/Stamp.ts"
import { Board } from "../../../../src/programs/board/Board.ts"
import { type BoardWrite, Redis, RedisFailure } from "../../../../src/services/Redis/Redis.ts"
import { Sql, SqlFailure } from "../../../../src/services/Sql/Sql.ts"

const stamped = (version: number): StampedBoard => ({
  scores: [{ email: "ada@example.com", score: version }],
  epoch: "epoch",
  version,
  committedAt: 1,
})

interface World {
  /** The text in Redis; null = Redis fails. */
  redis: string | undefined | null
  sql: StampedBoard | "away"
  reads: number
  /** Reads and writes that failed because Redis was away. */
  refusals: number
  selects: number
  renewals: number
  readonly writes: Array<BoardWrite>
}

const withWorld = <A, E>(
  initial: Partial<World>,
  test: (board: Board["Service"], world: World) => Effect.Effect<A, E>,
) => {
  const world: World = {
    redis: undefined,
    sql: stamped(1),
    reads: 0,
    refusals: 0,
    selects: 0,
    renewals: 0,
    writes: [],
    ...initial,
  }
  const services = Layer.mergeAll(
    Layer.mock(Redis)({
      readBoard: Effect.suspend(() => {
        world.reads++
        if (world.redis === null) world.refusals++
        return world.redis === null
          ? Effect.fail(new RedisFailure({ operation: "readBoard", cause: new Error("away") }))
          : Effect.delay(Effect.succeed(Option.fromUndefinedOr(world.redis)), "10 millis")
      }),
      renewBoard: Effect.suspend(() => {
        world.renewals++
        return world.redis === null
          ? Effect.fail(new RedisFailure({ operation: "renewBoard", cause: new Error("away") }))
          : Effect.void
      }),
      writeBoard: (board) =>
        Effect.suspend(() => {
          if (world.redis === null) {
            world.refusals++
            return Effect.fail(new RedisFailure({ operation: "writeBoard", cause: new Error("away") }))
          }
          world.writes.push(board)
          world.redis = board.json
          return Effect.succeed("written" as const)
        }),
    }),
    Layer.mock(Sql)({
      top: () =>
        Effect.suspend(() => {
          world.selects++
          return world.sql === "away"
            ? Effect.fail(new SqlFailure({ operation: "top", cause: new Error("away") }))
            : Effect.succeed(world.sql)
        }),
    }),
  )
  return Effect.flatMap(Board, (board) => test(board, world)).pipe(
    Effect.provide(Board.layer.pipe(Layer.provide(services))),
  )
}

/** Runs `current` on the test's clock. */
const read = (board: Board["Service"]) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(board.current)
    yield* TestClock.adjust("10 millis")
    return yield* Fiber.join(fiber)
  })

describe("Board.current", () => {
  it.effect("gives what is in Redis, without its stamp, and tags it by its stamp", () =>
    withWorld({ redis: JSON.stringify(stamped(5)), sql: "away" }, (board) =>
      Effect.gen(function* () {
        const shown = yield* read(board)
        assert.strictEqual(shown.json, '{"scores":[{"email":"ada@example.com","score":5}]}')
        assert.strictEqual(shown.etag, '"epoch-5"')
        assert.deepStrictEqual(readStampTag(shown.etag), { epoch: "epoch", version: 5 })
      }),
    ),
  )

  it.effect("selects from PostgreSQL on a miss and stores the board in Redis", () =>
    withWorld({ sql: stamped(3) }, (board, world) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* read(board)).etag, '"epoch-3"')
        assert.deepStrictEqual(world.writes, [
          { json: JSON.stringify({ ...stamped(3), publishedAt: 10 }), epoch: "epoch", version: 3 },
        ])
        assert.strictEqual((yield* read(board)).etag, '"epoch-3"')
        assert.strictEqual(world.selects, 1)
      }),
    ),
  )

  it.effect("shows no older board again when Redis was emptied and got a late one", () =>
    withWorld({ redis: JSON.stringify(stamped(5)), sql: "away" }, (board, world) =>
      Effect.gen(function* () {
        yield* read(board)
        world.redis = JSON.stringify(stamped(4))
        assert.strictEqual((yield* read(board)).etag, '"epoch-5"')
        world.redis = JSON.stringify(stamped(6))
        assert.strictEqual((yield* read(board)).etag, '"epoch-6"')
        world.redis = JSON.stringify({ ...stamped(1), epoch: "rebuilt" })
        assert.strictEqual((yield* read(board)).etag, '"rebuilt-1"')
      }),
    ),
  )

  it.effect("shows no older board again when Redis comes back with what it had", () =>
    withWorld({ redis: null, sql: stamped(5) }, (board, world) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* read(board)).etag, '"epoch-5"')
        world.redis = JSON.stringify(stamped(4))
        assert.strictEqual((yield* read(board)).etag, '"epoch-5"')
      }),
    ),
  )

  it.effect("shows a board that another tool wrote, and tags it by its content", () =>
    withWorld({ redis: '{"scores":[{"email":"eve","score":9}]}', sql: "away" }, (board, world) =>
      Effect.gen(function* () {
        const first = yield* read(board)
        assert.strictEqual(first.json, '{"scores":[{"email":"eve","score":9}]}')
        world.redis = '{"scores":[{"email":"eve","score":8}]}'
        assert.notStrictEqual((yield* read(board)).etag, first.etag)
        assert.isUndefined(readStampTag(first.etag), "it must not be read as a stamp")
      }),
    ),
  )

  for (const garbage of [
    "",
    "{",
    "[]",
    "null",
    '{"scores":[{"email":1}]}',
    '{"scores":[{"email":"a","score":-1}]}',
  ]) {
    it.effect(`repairs garbage in Redis from PostgreSQL: ${garbage === "" ? "(empty)" : garbage}`, () =>
      withWorld({ redis: garbage, sql: stamped(2) }, (board, world) =>
        Effect.gen(function* () {
          assert.strictEqual((yield* read(board)).etag, '"epoch-2"')
          assert.strictEqual(world.redis, JSON.stringify({ ...stamped(2), publishedAt: 10 }))
        }),
      ),
    )
  }

  it.effect("reads once for all that ask at the same time", () =>
    withWorld({ redis: JSON.stringify(stamped(5)) }, (board, world) =>
      Effect.gen(function* () {
        const readers = yield* Effect.forEach(Array.from({ length: 100 }), () =>
          Effect.forkChild(board.current),
        )
        yield* TestClock.adjust("10 millis")
        yield* Effect.forEach(readers, Fiber.join)
        assert.strictEqual(world.reads, 1)
      }),
    ),
  )

  it.effect("gives PostgreSQL's board while Redis is away, and leaves Redis alone for a while", () =>
    withWorld({ redis: null }, (board, world) =>
      Effect.gen(function* () {
        for (let n = 0; n < 20; n++) yield* board.current
        assert.strictEqual(world.selects, 20)
        assert.isBelow(world.reads, 5)
        world.redis = JSON.stringify(stamped(7))
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual((yield* read(board)).etag, '"epoch-7"')
      }),
    ),
  )

  it.effect("leaves Redis alone after three failures in a row, in every outage anew", () =>
    withWorld({}, (board, world) =>
      Effect.gen(function* () {
        for (const outage of [1, 2]) {
          world.redis = JSON.stringify(stamped(outage))
          yield* TestClock.adjust("2 seconds")
          yield* read(board)
          world.redis = null
          world.refusals = 0
          for (let n = 0; n < 20; n++) yield* board.current
          assert.strictEqual(world.refusals, 3, `outage ${outage}`)
        }
      }),
    ),
  )

  it.effect("asks Redis on after failures that were not in a row", () =>
    withWorld({}, (board, world) =>
      Effect.gen(function* () {
        for (let n = 1; n <= 10; n++) {
          world.redis = null
          yield* board.current
          world.redis = JSON.stringify(stamped(n))
          assert.strictEqual((yield* read(board)).etag, `"epoch-${n}"`)
        }
        assert.strictEqual(world.reads, 20)
      }),
    ),
  )

  it.effect("fails when both are away", () =>
    withWorld({ redis: null, sql: "away" }, (board) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* Effect.flip(board.current))._tag, "SqlFailure")
      }),
    ),
  )
})

describe("Board.refresh", () => {
  it.effect("offers the board of PostgreSQL to Redis", () =>
    withWorld({ sql: stamped(4) }, (board, world) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* board.refresh, "written")
        assert.strictEqual(world.redis, JSON.stringify({ ...stamped(4), publishedAt: 0 }))
      }),
    ),
  )

  it.effect("only renews the board in Redis while PostgreSQL is away, and fails all the same", () =>
    withWorld({ sql: stamped(4) }, (board, world) =>
      Effect.gen(function* () {
        yield* board.refresh
        world.sql = "away"
        // Another process has selected since: from a database that was restored, with an epoch of its own.
        const restored = JSON.stringify({ ...stamped(1), epoch: "another" })
        for (const there of [restored, undefined]) {
          world.redis = there
          assert.strictEqual((yield* Effect.flip(board.refresh))._tag, "SqlFailure")
          assert.strictEqual(world.redis, there)
        }
        assert.strictEqual(world.writes.length, 1)
        assert.strictEqual(world.renewals, 2)
      }),
    ),
  )

  it.effect("fails like PostgreSQL when Redis is away as well", () =>
    withWorld({ sql: "away", redis: null }, (board) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* Effect.flip(board.refresh))._tag, "SqlFailure")
      }),
    ),
  )
})
