import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { makeAdmission } from "../../../src/foundation/Admission.ts"
import { makeSharedWaits } from "../../../src/foundation/SharedWaits.ts"

const twoAtOnce = () =>
  makeAdmission({ places: 2, waiting: 3, patience: "250 millis", refuse: Effect.fail("refused") })

/** Starts that many calls, each of which takes this long. */
const start = (
  admit: ReturnType<typeof twoAtOnce>,
  count: number,
  call: Effect.Effect<string> = Effect.as(Effect.sleep("200 millis"), "done"),
) =>
  Effect.forEach(Array.from({ length: count }), () =>
    Effect.forkChild(Effect.result(admit(call)), { startImmediately: true }),
  )

const outcomes = (fibers: ReadonlyArray<Fiber.Fiber<{ readonly _tag: string }>>) =>
  Effect.map(Fiber.joinAll(fibers), (all) => all.map(({ _tag }) => _tag))

describe("Admission", () => {
  it.effect("lets calls run in the order of their arrival, as far as there are places", () =>
    Effect.gen(function* () {
      const fibers = yield* start(twoAtOnce(), 4)
      yield* TestClock.adjust("200 millis")
      assert.deepStrictEqual(
        fibers.map((fiber) => fiber.pollUnsafe() !== undefined),
        [true, true, false, false],
      )
      yield* TestClock.adjust("200 millis")
      assert.deepStrictEqual(yield* outcomes(fibers), ["Success", "Success", "Success", "Success"])
    }),
  )

  it.effect("refuses at once when too many wait, and later who has waited too long", () =>
    Effect.gen(function* () {
      const admit = twoAtOnce()
      const fibers = yield* start(admit, 5, Effect.as(Effect.sleep("1 second"), "done"))
      const [sixth] = yield* start(admit, 1)
      assert.isDefined(sixth?.pollUnsafe())
      yield* TestClock.adjust("250 millis")
      assert.deepStrictEqual(
        fibers.map((fiber) => fiber.pollUnsafe() !== undefined),
        [false, false, true, true, true],
      )
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* outcomes(fibers), ["Success", "Success", "Failure", "Failure", "Failure"])
    }),
  )

  it.effect("loses no place to calls that fail or are interrupted, wherever they are", () =>
    Effect.gen(function* () {
      const admit = twoAtOnce()
      for (let round = 0; round < 10; round++) {
        const fibers = yield* start(admit, 5, Effect.never)
        // One waits, one runs and hands its place over, and then all the others.
        for (const index of [3, 0, 2, 1, 4]) {
          yield* Effect.forEach(fibers.slice(index, index + 1), Fiber.interrupt)
        }
        yield* Effect.exit(admit(Effect.die("a defect")))
      }
      const fibers = yield* start(admit, 2)
      yield* TestClock.adjust("200 millis")
      assert.deepStrictEqual(yield* outcomes(fibers), ["Success", "Success"])
    }),
  )
})

describe("SharedWaits", () => {
  it.effect("share a call that waits, and never one that has begun", () =>
    Effect.gen(function* () {
      const shared = makeSharedWaits<number, never, string>(twoAtOnce())
      let begun = 0
      const call = Effect.suspend(() => Effect.as(Effect.sleep("200 millis"), ++begun))
      const fibers = yield* Effect.forEach(Array.from({ length: 20 }), () =>
        Effect.forkChild(shared("ada", call), { startImmediately: true }),
      )
      yield* TestClock.adjust("200 millis")
      yield* TestClock.adjust("200 millis")
      assert.deepStrictEqual(yield* Fiber.joinAll(fibers), [1, 2, ...Array.from({ length: 18 }, () => 3)])
      assert.strictEqual(begun, 3)
    }),
  )
})
