import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { BOARD_TTL_SECONDS } from "../../src/domain/BoardCache.ts"
import { BoardUpdateJson } from "../../src/domain/Messages.ts"
import { type BoardNotification, type BoardWrite, Redis } from "../../src/services/Redis/Redis.ts"

/** The board's key seen from outside of the service. */
export class RedisInspector extends Context.Service<
  RedisInspector,
  {
    /** Puts any text under the board's key, as another tool would. */
    set(text: string, ttlSeconds: number): Effect.Effect<void>
    /** Removes the key. */
    readonly clear: Effect.Effect<void>
    /** How long the key still lives, in whole seconds; undefined when there is none. */
    readonly ttlSeconds: Effect.Effect<number | undefined>
  }
>()("test/contracts/RedisInspector") {}

/** Slow enough that no bucket fills while a test runs. */
const HOUR_MICROS = 3_600_000_000

/** A board of one place, as the worker writes it. */
export const boardWrite = (version: number, epoch = "e1"): BoardWrite => ({
  json: JSON.stringify({ scores: [{ email: "ada@example.com", score: 1 }], epoch, version, committedAt: 1 }),
  epoch,
  version,
})

/**
 * Starts to listen. `next` waits up to ten seconds for a notification: an unresponsive connection is noticed by then. It
 * leaves out `Doubtful`, which may come at any time.
 */
export const listen = Effect.gen(function* () {
  const redis = yield* Redis
  const heard = yield* Queue.unbounded<BoardNotification>()
  yield* redis.notifications.pipe(
    Stream.filter(({ _tag }) => _tag !== "Doubtful"),
    Stream.runForEach((notification) => Queue.offer(heard, notification)),
    Effect.forkScoped,
  )
  return { next: Effect.timeout(Queue.take(heard), "10 seconds") }
})

const decodeUpdate = Schema.decodeSync(BoardUpdateJson)

const SUBSCRIBED: BoardNotification = { _tag: "Subscribed" }
const published = (board: BoardWrite): BoardNotification => ({ _tag: "Published", json: board.json })

/** What is not a stamped board: no stamp, half a stamp, a stamp no reader accepts, another shape, no JSON. */
const FOREIGN_VALUES = [
  "",
  "garbage",
  "{",
  "null",
  "7",
  '"text"',
  "[]",
  "{}",
  '{"epoch":1}',
  '{"scores":[]}',
  '{"scores":[],"epoch":"e1"}',
  '{"scores":[],"version":9}',
  '{"scores":[],"epoch":1,"version":9}',
  '{"scores":[],"epoch":"e1","version":"9"}',
  '{"scores":[],"epoch":"e1","version":9.5}',
  '{"scores":[],"epoch":"e1","version":1e400}',
  '{"scores":[],"epoch":"e1","version":9007199254740992}',
  '{"scores":[],"epoch":"e1","version":NaN}',
  '{"scores":null,"epoch":"e1","version":9}',
  '{"epoch":"e1","version":9}',
  "[".repeat(2_000) + "]".repeat(2_000),
]

/**
 * The rules that every `Redis` keeps. The layer may be shared by all tests of the suite; each begins without a
 * board. Runs in real time.
 */
export const redisContract = <E>(name: string, redisLayer: Layer.Layer<Redis | RedisInspector, E>) =>
  layer(redisLayer, { excludeTestServices: true })(name, (it) => {
    const start = Effect.gen(function* () {
      const inspector = yield* RedisInspector
      yield* inspector.clear
      return { redis: yield* Redis, inspector }
    })

    it.effect("answers a ping", () =>
      Effect.gen(function* () {
        const { redis } = yield* start
        yield* redis.ping
      }),
    )

    it.effect("reads none before the first board and the untouched text after it", () =>
      Effect.gen(function* () {
        const { redis } = yield* start
        assert.isTrue(Option.isNone(yield* redis.readBoard))
        const json = '{ "scores": [] ,"epoch":"e1","version":1, "note":"é😀\\u0000\\/" }'
        assert.strictEqual(yield* redis.writeBoard({ json, epoch: "e1", version: 1 }), "written")
        assert.deepStrictEqual(yield* redis.readBoard, Option.some(json))
      }),
    )

    it.effect("replaces a board by a larger version of its epoch only", () =>
      Effect.gen(function* () {
        const { redis } = yield* start
        assert.strictEqual(yield* redis.writeBoard(boardWrite(10)), "written")
        assert.strictEqual(yield* redis.writeBoard(boardWrite(9)), "older")
        assert.deepStrictEqual(yield* redis.readBoard, Option.some(boardWrite(10).json))
        assert.strictEqual(yield* redis.writeBoard(boardWrite(10)), "renewed")
        assert.strictEqual(yield* redis.writeBoard(boardWrite(11)), "written")
        assert.deepStrictEqual(yield* redis.readBoard, Option.some(boardWrite(11).json))
      }),
    )

    it.effect("replaces a board of another epoch whatever its version", () =>
      Effect.gen(function* () {
        const { redis } = yield* start
        for (const board of [boardWrite(10, "e1"), boardWrite(1, "e2"), boardWrite(1, "e1")]) {
          assert.strictEqual(yield* redis.writeBoard(board), "written")
          assert.deepStrictEqual(yield* redis.readBoard, Option.some(board.json))
        }
      }),
    )

    it.effect("tells the two largest versions apart", () =>
      Effect.gen(function* () {
        const { redis } = yield* start
        const largest = Number.MAX_SAFE_INTEGER
        assert.strictEqual(yield* redis.writeBoard(boardWrite(largest - 1)), "written")
        assert.strictEqual(yield* redis.writeBoard(boardWrite(largest)), "written")
        assert.strictEqual(yield* redis.writeBoard(boardWrite(largest - 1)), "older")
        assert.strictEqual(yield* redis.writeBoard(boardWrite(largest)), "renewed")
      }),
    )

    it.effect("gives back a foreign text as it is, and replaces it by any board", () =>
      Effect.gen(function* () {
        const { redis, inspector } = yield* start
        for (const text of FOREIGN_VALUES) {
          yield* inspector.set(text, 30)
          assert.deepStrictEqual(yield* redis.readBoard, Option.some(text))
          assert.strictEqual(yield* redis.writeBoard(boardWrite(1)), "written", text.slice(0, 60))
          assert.deepStrictEqual(yield* redis.readBoard, Option.some(boardWrite(1).json))
        }
      }),
    )

    it.effect("renews whatever is there, and brings nothing back", () =>
      Effect.gen(function* () {
        const { redis, inspector } = yield* start
        yield* redis.renewBoard
        assert.isTrue(Option.isNone(yield* redis.readBoard))
        const { json } = boardWrite(3)
        yield* inspector.set(json, 20)
        yield* redis.renewBoard
        assert.deepStrictEqual(yield* redis.readBoard, Option.some(json))
        const ttl = yield* inspector.ttlSeconds
        assert.isTrue(ttl !== undefined && ttl > BOARD_TTL_SECONDS - 5 && ttl <= BOARD_TTL_SECONDS)
      }),
    )

    it.effect("sets and renews the time to live, but not for an older board", () =>
      Effect.gen(function* () {
        const { redis, inspector } = yield* start
        const isFull = Effect.map(
          inspector.ttlSeconds,
          (ttl) => ttl !== undefined && ttl > BOARD_TTL_SECONDS - 5 && ttl <= BOARD_TTL_SECONDS,
        )
        assert.isUndefined(yield* inspector.ttlSeconds)
        yield* redis.writeBoard(boardWrite(5))
        assert.isTrue(yield* isFull)

        yield* inspector.set(boardWrite(5).json, 30)
        assert.strictEqual(yield* redis.writeBoard(boardWrite(4)), "older")
        assert.isFalse(yield* isFull)
        assert.strictEqual(yield* redis.writeBoard(boardWrite(5)), "renewed")
        assert.isTrue(yield* isFull)
      }),
    )

    it.effect("publishes exactly what it writes, after Subscribed", () =>
      Effect.gen(function* () {
        const { redis } = yield* start
        const { next } = yield* listen
        assert.deepStrictEqual(yield* next, SUBSCRIBED)
        const outcomes = yield* Effect.forEach([2, 2, 1, 3], (version) =>
          redis.writeBoard(boardWrite(version)),
        )
        assert.deepStrictEqual(outcomes, ["written", "renewed", "older", "written"])
        assert.deepStrictEqual(yield* next, published(boardWrite(2)))
        assert.deepStrictEqual(yield* next, published(boardWrite(3)))
      }),
    )

    it.effect("tells every consumer, each of which hears Subscribed first", () =>
      Effect.gen(function* () {
        const { redis } = yield* start
        const { next: early } = yield* listen
        assert.deepStrictEqual(yield* early, SUBSCRIBED)
        yield* redis.writeBoard(boardWrite(1))
        assert.deepStrictEqual(yield* early, published(boardWrite(1)))
        const { next: late } = yield* listen
        assert.deepStrictEqual(yield* late, SUBSCRIBED)
        yield* redis.writeBoard(boardWrite(2))
        assert.deepStrictEqual(yield* early, published(boardWrite(2)))
        assert.deepStrictEqual(yield* late, published(boardWrite(2)))
      }),
    )

    it.effect("ends with the newest of concurrent boards, and never publishes an older after a newer", () =>
      Effect.gen(function* () {
        const { redis } = yield* start
        const { next } = yield* listen
        assert.deepStrictEqual(yield* next, SUBSCRIBED)
        // 7 and 31 are coprime, so this is every version once, out of order.
        const versions = Array.from({ length: 31 }, (_, index) => ((index * 7) % 31) + 1)
        const outcomes = yield* Effect.forEach(versions, (version) => redis.writeBoard(boardWrite(version)), {
          concurrency: "unbounded",
        })
        assert.deepStrictEqual(yield* redis.readBoard, Option.some(boardWrite(31).json))

        const written = outcomes.filter((outcome) => outcome === "written").length
        const heard = yield* Effect.all(Array.from({ length: written }, () => next))
        const heardVersions = heard.map((notification) =>
          notification._tag === "Published" ? (decodeUpdate(notification.json).version ?? 0) : 0,
        )
        const ascending = [...new Set(heardVersions)].toSorted((one, other) => one - other)
        assert.deepStrictEqual(heardVersions, ascending)
        assert.strictEqual(heardVersions.at(-1), 31)
      }),
    )

    it.effect("take gives what a bucket holds, to all at once, and then refuses with the time to wait", () =>
      Effect.gen(function* () {
        const redis = yield* Redis
        const bucket = { kind: "test", who: "many at once", burst: 20, refillMicros: HOUR_MICROS }
        const taken = yield* Effect.all(
          Array.from({ length: 50 }, () => redis.take(bucket)),
          { concurrency: "unbounded" },
        )
        const allowed = taken.filter((one) => one.allowed)
        assert.deepStrictEqual(
          allowed.map((one) => one.remaining).toSorted((one, other) => one - other),
          Array.from({ length: 20 }, (_, n) => n),
        )
        for (const refused of taken.filter((one) => !one.allowed)) {
          assert.strictEqual(refused.remaining, 0)
          assert.approximately(refused.waitMillis, HOUR_MICROS / 1000, 60_000)
        }
      }),
    )

    it.effect("take keeps the buckets of different kinds and names apart", () =>
      Effect.gen(function* () {
        const redis = yield* Redis
        const one = { kind: "test", who: "one", burst: 1, refillMicros: HOUR_MICROS }
        assert.isTrue((yield* redis.take(one)).allowed)
        assert.isFalse((yield* redis.take(one)).allowed)
        assert.isTrue((yield* redis.take({ ...one, who: "One" })).allowed)
        assert.isTrue((yield* redis.take({ ...one, kind: "other" })).allowed)
      }),
    )

    it.effect("take goes by the limits of the moment, also below what was taken before", () =>
      Effect.gen(function* () {
        const redis = yield* Redis
        const wide = { kind: "test", who: "changed", burst: 10, refillMicros: HOUR_MICROS }
        for (let n = 0; n < 10; n++) assert.isTrue((yield* redis.take(wide)).allowed)
        const narrow = yield* redis.take({ ...wide, burst: 2, refillMicros: 60_000_000 })
        assert.isFalse(narrow.allowed)
        assert.isAtMost(narrow.waitMillis, 60_000)
      }),
    )
  })
