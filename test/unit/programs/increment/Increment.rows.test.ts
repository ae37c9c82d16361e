import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { COMMITTERS } from "../../../../src/programs/increment/Committers.ts"
import { caller, failure, outcome, rolledBack, withSql } from "./fixtures.ts"

describe("Increment, when a commit was rolled back", () => {
  it.effect("fails a row that cannot be stored alone, and counts the others of its batch", () =>
    withSql(
      (batch) =>
        batch.some(({ userId }) => userId === "bad")
          ? Effect.fail(rolledBack("data"))
          : Effect.succeed(batch.map((_, n) => outcome("Counted", n + 1))),
      (increment, { batches }) =>
        Effect.gen(function* () {
          const names = ["ada", "bad", "bob", "cyd"]
          const exits = yield* Effect.forEach(
            names,
            (name) => Effect.exit(increment.raise(caller(name), undefined)),
            {
              concurrency: "unbounded",
            },
          )
          assert.deepStrictEqual(exits.map(Exit.isSuccess), [true, false, true, true])
          assert.isTrue(exits.some((exit) => Exit.isFailure(exit) && Cause.hasDies(exit.cause)))
          const counted = batches.filter((batch) => batch.every(({ userId }) => userId !== "bad"))
          assert.deepStrictEqual(
            counted
              .flat()
              .map(({ userId }) => userId)
              .toSorted(),
            ["ada", "bob", "cyd"],
          )
        }),
    ),
  )

  it.effect("stops committing row by row when the database becomes unavailable meanwhile", () =>
    withSql(
      (batch) => Effect.fail(batch.length > 1 ? rolledBack("data") : failure),
      (increment, { batches }) =>
        Effect.gen(function* () {
          const names = Array.from({ length: 10 }, (_, n) => `p${n}`)
          const errors = yield* Effect.forEach(
            names,
            (name) => Effect.flip(increment.raise(caller(name), undefined)),
            {
              concurrency: "unbounded",
            },
          )
          assert.isTrue(errors.every(({ _tag }) => _tag === "Unavailable"))
          assert.isAtMost(batches.length, 2 * COMMITTERS)
        }),
    ),
  )

  it.effect.each(["deadlock", "serialization"] as const)(
    "commits the victim of a %s once more, and only once",
    (why) =>
      withSql(
        (batch, number) =>
          number === 2 ? Effect.succeed(batch.map(() => outcome("Counted"))) : Effect.fail(rolledBack(why)),
        (increment, { batches }) =>
          Effect.gen(function* () {
            yield* increment.raise(caller("ada"), undefined)
            assert.strictEqual(batches.length, 2)
            const error = yield* Effect.flip(increment.raise(caller("ada"), undefined))
            assert.strictEqual(error._tag, "Unavailable")
            assert.strictEqual(batches.length, 4)
          }),
      ),
  )
})
