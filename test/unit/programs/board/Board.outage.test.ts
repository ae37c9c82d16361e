import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/testing/TestClock"
import { read, stamped, withWorld } from "./boardFixtures.ts"

describe("Board.current while Redis is unavailable", () => {
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

describe("Board.current while PostgreSQL is unavailable", () => {
  it.effect("logs once that it cannot ask about a board of an unknown epoch, and when it can again", () => {
    const lines: Array<string> = []
    const logger = Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))])
    return withWorld({ redis: JSON.stringify(stamped(5)), sql: "away" }, (board, world) =>
      Effect.gen(function* () {
        yield* read(board)
        world.redis = JSON.stringify({ ...stamped(1), epoch: "other" })
        for (let n = 0; n < 3; n++) assert.strictEqual((yield* read(board)).etag, '"epoch-5"')
        assert.strictEqual(lines.length, 1)
        assert.include(lines[0], "SqlFailure")
        world.sql = stamped(6)
        assert.strictEqual((yield* read(board)).etag, '"epoch-6"')
        assert.strictEqual(lines.length, 2)
      }),
    ).pipe(Effect.provide(logger))
  })
})
