import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { type Batch, makeQueuePoller } from "../../../../src/programs/board/QueuePoller.ts"
import { RedisFailure } from "../../../../src/services/Redis/Redis.ts"
import type { ReceivedMessage } from "../../../../src/services/Sqs/Sqs.ts"
import { increment, settle } from "./fixtures.ts"

const unavailable = new RedisFailure({ operation: "writeBoard", cause: new Error("unavailable") })

/** A poller on a queue that gives a batch of `size` after `wait`, for as long as it is asked. */
const setup = Effect.fnUntraced(function* (size: number, wait: "none" | "1 second") {
  const world = { size, receives: 0, receiving: 0, interrupted: 0, canShow: true, shows: 0 }
  const messages = (): ReadonlyArray<ReceivedMessage> =>
    Array.from({ length: world.size }, (_, n) => increment(`${world.receives}.${n}`))
  const poller = yield* makeQueuePoller({
    receive: Effect.suspend(() => {
      world.receives++
      world.receiving++
      const batch = messages()
      return wait === "none" ? Effect.succeed(batch) : Effect.delay(Effect.succeed(batch), wait)
    }).pipe(
      Effect.onInterrupt(() => Effect.sync(() => world.interrupted++)),
      Effect.ensuring(Effect.sync(() => world.receiving--)),
    ),
    showBoard: Effect.suspend(() => {
      world.shows++
      return world.canShow ? Effect.void : Effect.fail(unavailable)
    }),
  })
  return { world, poller }
})

describe("QueuePoller", () => {
  it.effect("receives nothing more when 32 batches wait, and passes all of them on after a stop", () =>
    Effect.gen(function* () {
      const { world, poller } = yield* setup(10, "none")
      const groups: Array<number> = []
      const handled = yield* poller.batches.pipe(
        Stream.runForEachArray((batches) =>
          Effect.delay(
            Effect.sync(() => groups.push(batches.length)),
            "1 minute",
          ),
        ),
        Effect.forkChild,
      )
      yield* Effect.repeat(settle, { times: 50 })
      const received = world.receives
      yield* poller.stop
      yield* TestClock.adjust("10 minutes")
      yield* Fiber.join(handled)
      assert.strictEqual(world.receives, received)
      const [first = 0, second = 0] = groups
      assert.isAtMost(first, 4)
      assert.strictEqual(second, 32)
      // Besides the first ones and the 32, each of four polls has one batch that it cannot pass on.
      assert.strictEqual(received, first + 32 + 4)
      assert.strictEqual(
        groups.reduce((sum, size) => sum + size, 0),
        received,
      )
    }),
  )

  it.effect("interrupts a poll that waits when it stops, and ends", () =>
    Effect.gen(function* () {
      const { world, poller } = yield* setup(1, "1 second")
      const collected = yield* Effect.forkChild(Stream.runCollect(poller.batches))
      yield* TestClock.adjust("2500 millis")
      assert.strictEqual(world.receiving, 1)
      yield* poller.stop
      yield* poller.stop
      const batches: ReadonlyArray<Batch> = yield* Fiber.join(collected)
      assert.deepStrictEqual(
        batches.map(({ at }) => at),
        [1_000, 2_000],
      )
      assert.strictEqual(world.interrupted, 1)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(world.receives, 3)
    }),
  )

  it.effect("does not poll while it is blocked, finishes what is under way, and watches again", () =>
    Effect.gen(function* () {
      const { world, poller } = yield* setup(10, "1 second")
      let arrived = 0
      yield* poller.batches.pipe(
        Stream.runForEach(() => Effect.sync(() => arrived++)),
        Effect.forkChild,
      )
      yield* TestClock.adjust("2500 millis")
      assert.strictEqual(world.receiving, 4)
      world.canShow = false
      yield* poller.setBlocked(true)
      const before = arrived
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(arrived - before, 4)
      assert.strictEqual(world.receiving, 0)
      assert.isAtLeast(world.shows, 8)
      assert.isAtMost(world.shows, 11)

      world.canShow = true
      world.size = 1
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(world.receiving, 1)
    }),
  )

  it.effect("stops while it is blocked", () =>
    Effect.gen(function* () {
      const { world, poller } = yield* setup(1, "1 second")
      world.canShow = false
      yield* poller.setBlocked(true)
      const collected = yield* Effect.forkChild(Stream.runCollect(poller.batches))
      yield* TestClock.adjust("5 seconds")
      yield* poller.stop
      // A board that is shown after that does not start it again.
      yield* poller.setBlocked(false)
      assert.deepStrictEqual(yield* Fiber.join(collected), [])
      assert.strictEqual(world.receives, 0)
    }),
  )
})
