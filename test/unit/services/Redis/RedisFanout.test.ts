import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import type { BoardNotification } from "../../../../src/services/Redis/Redis.ts"
import {
  makeRedisFanout,
  NOTIFICATION_CAPACITY,
  type RedisFanout,
} from "../../../../src/services/Redis/RedisFanout.ts"

/** A consumer that is busy with its first element until `go`, and what it has heard by then and after. */
const busyConsumer = Effect.fnUntraced(function* (fanout: RedisFanout, elements: number) {
  const go = yield* Deferred.make<void>()
  const fiber = yield* fanout.notifications.pipe(
    Stream.tap(() => Deferred.await(go)),
    Stream.take(elements),
    Stream.runCollect,
    Effect.forkChild({ startImmediately: true }),
  )
  yield* Effect.yieldNow
  return { heard: Effect.andThen(Deferred.succeed(go, undefined), Fiber.join(fiber)) }
})

const publishedFrom = (first: number, count: number): Array<BoardNotification> =>
  Array.from({ length: count }, (_, index) => ({ _tag: "Published", json: String(first + index) }))

describe("RedisFanout", () => {
  it.effect("keeps the newest messages of a slow consumer and drops the oldest", () =>
    Effect.gen(function* () {
      const fanout = makeRedisFanout()
      fanout.subscribed()
      const { heard } = yield* busyConsumer(fanout, 1 + NOTIFICATION_CAPACITY)
      for (let index = 0; index < 100; index++) fanout.published(String(index))
      assert.deepStrictEqual(yield* heard, [
        { _tag: "Subscribed" },
        ...publishedFrom(100 - NOTIFICATION_CAPACITY, NOTIFICATION_CAPACITY),
      ])
    }),
  )

  it.effect("puts a Subscribed in the place of everything that waits", () =>
    Effect.gen(function* () {
      const fanout = makeRedisFanout()
      fanout.subscribed()
      const { heard } = yield* busyConsumer(fanout, 3)
      for (let outage = 0; outage < 2; outage++) {
        fanout.published("before the outage")
        fanout.lost()
        fanout.subscribed()
      }
      fanout.published("0")
      assert.deepStrictEqual(yield* heard, [
        { _tag: "Subscribed" },
        { _tag: "Subscribed" },
        ...publishedFrom(0, 1),
      ])
    }),
  )

  it.effect("never loses a Subscribed to the messages after it", () =>
    Effect.gen(function* () {
      const fanout = makeRedisFanout()
      fanout.subscribed()
      const { heard } = yield* busyConsumer(fanout, 1 + NOTIFICATION_CAPACITY)
      fanout.lost()
      fanout.subscribed()
      for (let index = 0; index < 100; index++) fanout.published(String(index))
      const kept = NOTIFICATION_CAPACITY - 1
      assert.deepStrictEqual(yield* heard, [
        { _tag: "Subscribed" },
        { _tag: "Subscribed" },
        ...publishedFrom(100 - kept, kept),
      ])
    }),
  )

  it.effect("says Subscribed before a message that arrives ahead of the confirmation, and only once", () =>
    Effect.gen(function* () {
      const fanout = makeRedisFanout()
      const { heard } = yield* busyConsumer(fanout, 3)
      fanout.published("0")
      fanout.subscribed()
      fanout.published("1")
      assert.deepStrictEqual(yield* heard, [{ _tag: "Subscribed" }, ...publishedFrom(0, 2)])
    }),
  )

  it.effect("tells a doubt once, and not to a consumer that has something to read", () =>
    Effect.gen(function* () {
      const fanout = makeRedisFanout()
      fanout.subscribed()
      const { heard } = yield* busyConsumer(fanout, 4)
      fanout.doubtful()
      fanout.doubtful()
      fanout.published("0")
      fanout.doubtful()
      fanout.published("1")
      assert.deepStrictEqual(yield* heard, [
        { _tag: "Subscribed" },
        { _tag: "Doubtful" },
        ...publishedFrom(0, 2),
      ])
    }),
  )
})
