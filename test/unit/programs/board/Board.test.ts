import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { readStampTag } from "../../../../src/client/Stamp.ts"
import { read, stamped, withWorld } from "./boardFixtures.ts"

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

  it.effect("asks PostgreSQL once whether the first board of another epoch is the current one", () =>
    withWorld({ redis: JSON.stringify(stamped(5)), sql: stamped(5) }, (board, world) =>
      Effect.gen(function* () {
        yield* read(board)
        const restored = { ...stamped(1), epoch: "restored" }
        world.sql = restored
        world.redis = JSON.stringify(restored)
        for (let n = 0; n < 3; n++) assert.strictEqual((yield* read(board)).etag, '"restored-1"')
        world.redis = JSON.stringify({ ...restored, version: 2 })
        assert.strictEqual((yield* read(board)).etag, '"restored-2"')
        // One for the epoch that the process found when it began.
        assert.strictEqual(world.selects, 2)
      }),
    ),
  )

  it.effect("shows no board of an earlier epoch that comes back in Redis", () =>
    withWorld({ redis: JSON.stringify(stamped(5)), sql: stamped(5) }, (board, world) =>
      Effect.gen(function* () {
        yield* read(board)
        for (const sql of [stamped(6), "away"] as const) {
          world.sql = sql
          world.redis = JSON.stringify({ ...stamped(90), epoch: "earlier" })
          assert.strictEqual((yield* read(board)).etag, '"epoch-6"')
        }
        assert.deepStrictEqual(world.writes, [], "the worker replaces it")
        world.redis = JSON.stringify(stamped(7))
        assert.strictEqual((yield* read(board)).etag, '"epoch-7"')
      }),
    ),
  )

  it.effect("shows no board of an earlier epoch that is in Redis when the process begins", () =>
    withWorld({ redis: JSON.stringify({ ...stamped(90), epoch: "earlier" }), sql: stamped(5) }, (board) =>
      Effect.gen(function* () {
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

  it.effect("leaves the run to the others when one of its callers is interrupted", () =>
    withWorld({ redis: JSON.stringify(stamped(5)) }, (board, world) =>
      Effect.gen(function* () {
        const [first, second] = yield* Effect.all([
          Effect.forkChild(board.current, { startImmediately: true }),
          Effect.forkChild(board.current, { startImmediately: true }),
        ])
        yield* Fiber.interrupt(first)
        yield* TestClock.adjust("10 millis")
        assert.strictEqual((yield* Fiber.join(second)).etag, '"epoch-5"')
        assert.strictEqual(world.reads, 1)
      }),
    ),
  )

  it.effect("reads again for the next caller, also when the clock was set back", () =>
    withWorld({ redis: JSON.stringify(stamped(5)) }, (board, world) =>
      Effect.gen(function* () {
        yield* TestClock.setTime(1_000_000)
        yield* read(board)
        world.redis = JSON.stringify(stamped(6))
        assert.strictEqual((yield* read(board)).etag, '"epoch-6"')
        yield* TestClock.setTime(1_000)
        world.redis = JSON.stringify(stamped(7))
        assert.strictEqual((yield* read(board)).etag, '"epoch-7"')
        assert.strictEqual(world.reads, 3)
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
