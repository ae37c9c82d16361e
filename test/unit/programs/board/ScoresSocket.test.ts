import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { formOf } from "../../../../src/programs/board/ScoresSocket.ts"
import { hopDuring } from "../observe/fixtures.ts"
import { scores, update, withSockets } from "./socketFixtures.ts"

describe("ScoresSocket", () => {
  it.effect("sends the first board at once, then the newest of each pause, and the last one always", () =>
    withSockets((world) =>
      Effect.gen(function* () {
        world.broadcastMillis = 10
        yield* world.publish(update(1))
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(scores(world.sent), [1])
        for (let version = 2; version <= 9; version++) yield* world.publish(update(version))
        yield* TestClock.adjust("58 millis")
        assert.deepStrictEqual(scores(world.sent), [1])
        yield* TestClock.adjust("2 millis")
        assert.deepStrictEqual(scores(world.sent), [1, 9])
      }),
    ),
  )

  it.effect("sends every board at once while broadcasts cost little and boards do not come in crowds", () =>
    withSockets((world) =>
      Effect.gen(function* () {
        for (let version = 1; version <= 20; version++) {
          yield* world.publish(update(version))
          yield* TestClock.adjust("1 millis")
          assert.strictEqual(scores(world.sent).at(-1), version)
          yield* TestClock.adjust("20 millis")
        }
      }),
    ),
  )

  it.effect("broadcasts for a tenth of the time at most", () =>
    withSockets((world) =>
      Effect.gen(function* () {
        world.broadcastMillis = 2
        for (let version = 1; version <= 100; version++) {
          yield* world.publish(update(version))
          yield* TestClock.adjust("10 millis")
        }
        assert.closeTo(world.sent.length * 2, 100, 4)
      }),
    ),
  )

  it.effect("shows at most about 60 boards a second however many come, and the last one always", () =>
    withSockets((world) =>
      Effect.gen(function* () {
        for (let version = 1; version <= 1000; version++) {
          yield* world.publish(update(version))
          yield* TestClock.adjust("1 millis")
        }
        assert.isBelow(world.sent.length, 70)
        yield* TestClock.adjust("50 millis")
        assert.strictEqual(scores(world.sent).at(-1), 1000)
      }),
    ),
  )

  it.effect("never sends an older board of the same epoch, and always takes one of another", () =>
    withSockets((world) =>
      Effect.gen(function* () {
        for (const next of [update(5), update(4), update(5), update(6), update(1, "restored"), update(7)]) {
          yield* world.publish(next)
          yield* TestClock.adjust("100 millis")
        }
        assert.deepStrictEqual(scores(world.sent), [5, 6, 1, 7])
      }),
    ),
  )

  it.effect("has newcomers shown a board at once, while it waits for its broadcast", () =>
    withSockets((world) =>
      Effect.gen(function* () {
        world.broadcastMillis = 10
        yield* world.publish(update(1))
        yield* TestClock.adjust("1 millis")
        for (const [version, newest] of [
          [2, 2],
          [5, 5],
          [4, 5],
        ] as const) {
          yield* world.publish(update(version))
          yield* TestClock.adjust("1 millis")
          assert.deepStrictEqual(scores([world.held("plain")]), [newest])
        }
        assert.deepStrictEqual(scores(world.sent), [1])
        yield* TestClock.adjust("60 millis")
        assert.deepStrictEqual(scores(world.sent), [1, 5])
      }),
    ),
  )

  it.effect("tells the stamp to who asked for it, when there is one", () =>
    withSockets((world) =>
      Effect.gen(function* () {
        yield* world.publish(update(7))
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(
          world.held("stamped"),
          '{"scores":[{"email":"epoch","score":7}],"epoch":"epoch","version":7}',
        )
        yield* world.publish({ scores: [] })
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(world.held("stamped"), '{"scores":[]}')
      }),
    ),
  )

  it.effect("sends nothing but the scores", () =>
    withSockets((world) =>
      Effect.gen(function* () {
        yield* world.publish(update(1))
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(world.sent, ['{"scores":[{"email":"epoch","score":1}]}'])
      }),
    ),
  )

  it.effect("reads the board again after a subscription, and until it can be read", () =>
    withSockets((world) =>
      Effect.gen(function* () {
        yield* world.notify({ _tag: "Subscribed" })
        yield* TestClock.adjust("2500 millis")
        assert.deepStrictEqual(world.sent, [])
        world.key = update(3)
        yield* TestClock.adjust("1 seconds")
        assert.deepStrictEqual(scores(world.sent), [3])
      }),
    ),
  )

  it.effect("shows no garbage, and reads the board instead", () =>
    withSockets((world) =>
      Effect.gen(function* () {
        world.key = update(2)
        yield* world.notify({ _tag: "Published", json: '{"scores":"none"}' })
        yield* TestClock.adjust("100 millis")
        yield* TestClock.adjust("100 millis")
        assert.deepStrictEqual(scores(world.sent), [2])
      }),
    ),
  )

  it.effect("measures the way of what is published, and not of what is read or repeated", () =>
    withSockets((world) =>
      Effect.gen(function* () {
        world.key = update(0)
        yield* world.notify({ _tag: "Subscribed" })
        yield* TestClock.adjust("100 millis")
        yield* TestClock.setTime(1_000)
        const publish = Effect.andThen(
          world.publish({ ...update(1), committedAt: 600, publishedAt: 900 }),
          TestClock.adjust("1 millis"),
        )
        const published1 = hopDuring("commit-sockets", publish)
        assert.deepStrictEqual(yield* hopDuring("redis-hub", published1), { count: 1, millis: 100 })
        const again = Effect.gen(function* () {
          world.key = update(2)
          yield* world.notify({ _tag: "Subscribed" })
          yield* TestClock.adjust("16 seconds")
        })
        assert.deepStrictEqual(yield* hopDuring("commit-sockets", again), { count: 0, millis: 0 })
        assert.deepStrictEqual(scores(world.sent).slice(0, 3), [0, 1, 2])
      }),
    ),
  )

  it.effect("counts the pause and the broadcast to the way from the hub to the sockets", () =>
    withSockets((world) =>
      Effect.gen(function* () {
        world.broadcastMillis = 10
        yield* world.publish(update(1))
        yield* TestClock.adjust("20 millis")
        const second = Effect.andThen(world.publish(update(2)), TestClock.adjust("60 millis"))
        assert.deepStrictEqual(yield* hopDuring("hub-sockets", second), { count: 1, millis: 50 })
      }),
    ),
  )

  it.effect("repeats the board after 15 seconds of silence", () =>
    withSockets((world) =>
      Effect.gen(function* () {
        yield* world.publish(update(1))
        yield* TestClock.adjust("14 seconds")
        assert.strictEqual(world.sent.length, 1)
        yield* TestClock.adjust("31 seconds")
        assert.deepStrictEqual(scores(world.sent), [1, 1, 1])
      }),
    ),
  )

  it.effect("reads the board before it repeats it, and whenever boards may not arrive", () =>
    withSockets((world) =>
      Effect.gen(function* () {
        yield* world.publish(update(1))
        yield* TestClock.adjust("1 seconds")
        world.key = update(2)
        yield* TestClock.adjust("15 seconds")
        assert.deepStrictEqual(scores(world.sent), [1, 2])
        world.key = update(3)
        yield* world.notify({ _tag: "Doubtful" })
        yield* TestClock.adjust("100 millis")
        yield* TestClock.adjust("100 millis")
        assert.deepStrictEqual(scores(world.sent), [1, 2, 3])
      }),
    ),
  )

  it.effect("repeats the board in time also when a read is not answered, and new boards at once", () =>
    withSockets((world) =>
      Effect.gen(function* () {
        yield* world.publish(update(1))
        yield* TestClock.adjust("1 seconds")
        world.readMillis = 60_000
        yield* TestClock.adjust("15 seconds")
        assert.deepStrictEqual(scores(world.sent), [1, 1])
        yield* TestClock.adjust("10 seconds")
        yield* world.publish(update(2))
        yield* TestClock.adjust("60 millis")
        assert.deepStrictEqual(scores(world.sent), [1, 1, 2])
      }),
    ),
  )
})

describe("formOf", () => {
  it.each([
    ["/scores/websocket", "plain"],
    ["/scores/websocket?", "plain"],
    ["/scores/websocket?unstamped", "plain"],
    ["/scores/websocket?stamped", "stamped"],
    ["/scores/websocket?stamped=1", "stamped"],
    ["/scores/websocket?a=b&stamped=", "stamped"],
    ["/scores/websocket?%E0%A4%A&stamped", "stamped"],
  ] as const)("takes %s for %s", (url, form) => {
    assert.strictEqual(formOf(url), form)
  })
})
