import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import type { IncrementRequest } from "../../../../src/services/Sql/Sql.ts"
import { caller, outcome, rolledBack, withSql } from "./fixtures.ts"

/** How long a statement waits for a locked row: in a batch, and among what is set aside. */
const LOCK_MILLIS = { batch: 500, aside: 25 }

/** A database in which the row of each of these players is locked. */
const lockedRows =
  (players: ReadonlySet<string>) =>
  (batch: ReadonlyArray<IncrementRequest>, _number: number, aside: boolean) =>
    batch.some(({ userId }) => players.has(userId))
      ? Effect.delay(Effect.fail(rolledBack("lock")), aside ? LOCK_MILLIS.aside : LOCK_MILLIS.batch)
      : Effect.delay(Effect.succeed(batch.map((_, n) => outcome("Counted", n + 1))), 2)

const names = (count: number) => Array.from({ length: count }, (_, n) => `player ${n}`)

describe("Increment, when another transaction locks a player's row", () => {
  it.effect("answers everybody else of the batch, and the locked player with 503", () =>
    withSql(lockedRows(new Set(["player 17"])), (increment) =>
      Effect.gen(function* () {
        const asked = names(100).map((name) =>
          Effect.timed(Effect.exit(increment.raise(caller(name), undefined))),
        )
        const fibers = yield* Effect.forEach(asked, (ask) => Effect.forkChild(ask))
        yield* TestClock.adjust("5 seconds")
        for (const [n, fiber] of fibers.entries()) {
          const [, exit] = yield* Fiber.join(fiber)
          assert.strictEqual(Exit.isSuccess(exit), n !== 17, `player ${n}`)
        }
      }),
    ),
  )

  it.effect("commits others without delay from then on, while the locked player presses", () =>
    withSql(lockedRows(new Set(["locked"])), (increment) =>
      Effect.gen(function* () {
        const lateMillis: Array<number> = []
        const errors: Array<string> = []
        const press = (name: string) =>
          Effect.gen(function* () {
            const began = yield* Clock.currentTimeMillis
            const exit = yield* Effect.exit(increment.raise(caller(name), undefined))
            if (name === "locked") return
            if (Exit.isFailure(exit)) errors.push(name)
            if (began >= 1_000) lateMillis.push((yield* Clock.currentTimeMillis) - began)
          })
        for (let step = 0; step < 200; step++) {
          if (step % 10 === 0) yield* Effect.forkChild(press("locked"))
          for (let n = 0; n < 5; n++) yield* Effect.forkChild(press(`player ${(step * 5 + n) % 50}`))
          yield* TestClock.adjust("50 millis")
        }
        yield* TestClock.adjust("5 seconds")
        assert.deepStrictEqual(errors, [])
        assert.isAtMost(Math.max(...lateMillis), 300)
      }),
    ),
  )

  it.effect(
    "refuses the locked player at once for a second, and counts the player again after the lock",
    () =>
      Effect.suspend(() => {
        const locked = new Set(["locked"])
        return withSql(lockedRows(locked), (increment, { batches }) =>
          Effect.gen(function* () {
            const press = Effect.timed(Effect.exit(increment.raise(caller("locked"), undefined)))
            const first = yield* Effect.forkChild(press)
            yield* TestClock.adjust("2 seconds")
            assert.isTrue(Exit.isFailure((yield* Fiber.join(first))[1]))
            const tries = batches.length
            const error = yield* Effect.flip(increment.raise(caller("locked"), undefined))
            assert.strictEqual(error._tag, "Unavailable")
            assert.strictEqual(batches.length, tries)
            locked.clear()
            yield* TestClock.adjust("1 second")
            for (let n = 0; n < 2; n++) {
              const again = yield* Effect.forkChild(increment.raise(caller("locked"), undefined))
              yield* TestClock.adjust("50 millis")
              yield* Fiber.join(again)
            }
          }),
        )
      }),
  )

  it.effect("bounds what is set aside, and still answers everybody", () =>
    Effect.suspend(() => {
      const everybody = names(1500)
      return withSql(lockedRows(new Set(everybody)), (increment) =>
        Effect.gen(function* () {
          const fibers = yield* Effect.forEach(everybody, (name) =>
            Effect.forkChild(Effect.exit(increment.raise(caller(name), undefined))),
          )
          yield* TestClock.adjust("3 seconds")
          for (const fiber of fibers) assert.isTrue(Exit.isFailure(yield* Fiber.join(fiber)))
          yield* TestClock.adjust("10 seconds")
        }),
      )
    }),
  )
})
