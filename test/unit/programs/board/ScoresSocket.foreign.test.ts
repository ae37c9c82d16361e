import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import { published, scores, update, withSockets } from "./socketFixtures.ts"

/** What happens on the channel: an own board, or one of two other installations. */
const Steps = Schema.Array(Schema.Literals(["own", "foreign", "another"])).check(Schema.isMaxLength(30))

describe("ScoresSocket on a Redis that others use", () => {
  it.effect("shows no board of another installation that uses the same Redis", () =>
    withSockets((world) =>
      Effect.gen(function* () {
        // Before this process has read a board, it knows no epoch.
        yield* world.notify(published(update(90, "foreign")))
        yield* TestClock.adjust("100 millis")
        assert.deepStrictEqual(world.sent, [])
        yield* world.publish(update(5))
        yield* TestClock.adjust("2 seconds")
        yield* world.notify(published(update(91, "foreign")))
        yield* TestClock.adjust("100 millis")
        yield* world.publish(update(6))
        yield* TestClock.adjust("100 millis")
        assert.deepStrictEqual(scores(world.sent), [5, 6])
      }),
    ),
  )

  it.effect("shows a restored epoch, also while a read is under way that began before it", () =>
    withSockets((world) =>
      Effect.gen(function* () {
        yield* world.publish(update(5))
        yield* TestClock.adjust("100 millis")
        world.readMillis = 10
        const earlier = yield* Effect.forkChild(world.current, { startImmediately: true })
        yield* world.publish(update(1, "restored"))
        yield* TestClock.adjust("10 millis")
        yield* Fiber.join(earlier)
        yield* TestClock.adjust("100 millis")
        assert.deepStrictEqual(scores(world.sent), [5, 1])
      }),
    ),
  )

  it.effect("shows a board without a stamp, and the own boards after it", () =>
    withSockets((world) =>
      Effect.gen(function* () {
        for (const next of [update(5), { scores: [{ email: "tool", score: 8 }] }, update(6)]) {
          yield* world.publish(next)
          yield* TestClock.adjust("100 millis")
        }
        assert.deepStrictEqual(scores(world.sent), [5, 8, 6])
      }),
    ),
  )

  it.effect.prop(
    "shows only own boards, in their order, and the newest in the end, whatever others publish",
    [Steps],
    ([steps]) =>
      withSockets((world) =>
        Effect.gen(function* () {
          let version = 0
          for (const step of steps) {
            if (step === "own") yield* world.publish(update(++version))
            else yield* world.notify(published(update(1_000 + version, step)))
            yield* TestClock.adjust("30 millis")
          }
          yield* world.publish(update(++version))
          // A read that failed before the first own board is tried again after a second.
          yield* TestClock.adjust("2 seconds")
          const shown = scores(world.sent)
          assert.deepStrictEqual(
            shown,
            [...new Set(shown)].toSorted((one, other) => Number(one) - Number(other)),
          )
          assert.strictEqual(shown.at(-1), version)
        }),
      ),
  )
})
