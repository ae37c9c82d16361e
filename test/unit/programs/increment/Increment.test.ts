import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { UserId } from "../../../../src/domain/Score.ts"
import { COMMITTERS } from "../../../../src/programs/increment/Committers.ts"
import { CognitoFailure, TokenRejected } from "../../../../src/services/Cognito/Cognito.ts"
import { caller, failure, outcome, withSql } from "./fixtures.ts"

/** An unresponsive database: the call fails at its time limit. */
const unresponsive = Effect.delay(Effect.fail(failure), 2_500)

describe("Increment.raise", () => {
  it.effect(
    "gives everyone an answer within three seconds of an unresponsive database, however they arrive",
    () =>
      withSql(
        () => unresponsive,
        (increment, world) =>
          Effect.gen(function* () {
            const waiting = []
            for (let n = 0; n < 40; n++) {
              const answer = Effect.timed(Effect.flip(increment.raise(caller(`player ${n}`), undefined)))
              waiting.push(yield* Effect.forkChild(answer))
              yield* TestClock.adjust("100 millis")
            }
            yield* TestClock.adjust("10 seconds")
            for (const fiber of waiting) {
              const [elapsed, error] = yield* Fiber.join(fiber)
              assert.strictEqual(error._tag, "Unavailable")
              assert.isBelow(Duration.toMillis(elapsed), 3_000)
            }
            // The database is tried again as soon as a try ends, so the first moment in which it is back is not lost.
            assert.isAtLeast(world.batches.length, 2 * COMMITTERS)
          }),
      ),
  )

  it.effect("commits what arrives while commits are in flight as one batch", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      yield* withSql(
        (batch) =>
          Effect.as(
            Deferred.await(gate),
            batch.map(() => outcome("Counted")),
          ),
        (increment, world) =>
          Effect.gen(function* () {
            const raise = (n: number) => increment.raise(caller(`player ${n}`), undefined)
            const first = []
            for (let n = 0; n < COMMITTERS; n++) {
              first.push(yield* Effect.forkChild(raise(n)))
              yield* Effect.yieldNow
            }
            const rest = yield* Effect.forEach(
              Array.from({ length: 60 }, (_, n) => n),
              (n) => Effect.forkChild(raise(100 + n)),
            )
            yield* Effect.yieldNow
            yield* Deferred.succeed(gate, undefined)
            yield* Fiber.awaitAll([...first, ...rest])
            const sizes = world.batches.map((batch) => batch.length)
            assert.strictEqual(
              sizes.reduce((a, b) => a + b),
              COMMITTERS + 60,
            )
            assert.isAtMost(sizes.length, COMMITTERS + 2)
          }),
      )
    }),
  )

  it.effect("gives each caller of a batch its own outcome", () =>
    withSql(
      (batch) =>
        Effect.succeed(
          batch.map(({ userId }) =>
            outcome(
              userId === "new"
                ? "Counted"
                : userId === "again"
                  ? "Duplicate"
                  : userId === "out"
                    ? "Revoked"
                    : userId === "full"
                      ? "Full"
                      : "Hidden",
            ),
          ),
        ),
      (increment) =>
        Effect.gen(function* () {
          const tagOf = (id: string) =>
            Effect.match(increment.raise(caller(id), "key"), {
              onSuccess: () => "counted",
              onFailure: (error) => error._tag,
            })
          const outcomes = yield* Effect.forEach(["new", "again", "out", "hidden", "full"], tagOf, {
            concurrency: "unbounded",
          })
          assert.deepStrictEqual(outcomes, ["counted", "counted", "Unauthorized", "Forbidden", "Forbidden"])
        }),
    ),
  )

  it.effect("hands the committed messages to the outbox, with the stored e-mail", () =>
    withSql(
      (batch) => Effect.succeed(batch.map(({ key }) => outcome(key === "old" ? "Duplicate" : "Counted", 7))),
      (increment, world) =>
        Effect.gen(function* () {
          yield* Effect.all(
            [increment.raise(caller("ada"), undefined), increment.raise(caller("ada"), "old")],
            {
              concurrency: "unbounded",
            },
          )
          assert.deepStrictEqual(
            world.commits.flatMap(({ outboxId, events }) => events.map((event) => ({ outboxId, ...event }))),
            [{ outboxId: "1", id: "7", userId: UserId.make("ada"), email: "stored@example.com" }],
          )
        }),
    ),
  )

  it.effect("sends the token's id and the key along, so that the commit itself can refuse", () =>
    withSql(
      (batch) => Effect.succeed(batch.map(() => outcome("Counted"))),
      (increment, world) =>
        Effect.gen(function* () {
          yield* increment.raise(caller("ada"), "key 1")
          assert.deepStrictEqual(world.batches, [
            [
              {
                userId: UserId.make("ada"),
                email: "ada@example.com",
                key: "key 1",
                tokenId: "token of ada",
                signedInAtSeconds: 3_000_000_000,
              },
            ],
          ])
        }),
    ),
  )

  it.effect(
    "refuses a player without a verified address, and asks about them every ten seconds at most",
    () => {
      let questions = 0
      let email: string | undefined
      return withSql(
        (batch) =>
          Effect.succeed(batch.map((one) => outcome(one.email === undefined ? "UnknownPlayer" : "Counted"))),
        (increment) =>
          Effect.gen(function* () {
            const ada = { ...caller("ada"), email: undefined }
            for (let n = 0; n < 3; n++)
              assert.strictEqual(
                (yield* Effect.flip(increment.raise(ada, undefined)))._tag,
                "UnverifiedEmail",
              )
            assert.strictEqual(questions, 1)
            email = "ada@verified"
            yield* TestClock.adjust("10 seconds")
            yield* increment.raise(ada, undefined)
            assert.strictEqual(questions, 2)
          }),
        Effect.sync(() => {
          questions++
          return { userId: UserId.make("ada"), email }
        }),
      )
    },
  )

  it.effect("asks for the profile of an unknown player once and commits with its e-mail", () =>
    withSql(
      (batch) =>
        Effect.succeed(batch.map(({ email }) => outcome(email === undefined ? "UnknownPlayer" : "Counted"))),
      (increment, world) =>
        Effect.gen(function* () {
          yield* increment.raise({ ...caller("ada"), email: undefined }, "k")
          assert.deepStrictEqual(
            world.batches.flat().map(({ email, key }) => [email, key]),
            [
              [undefined, "k"],
              ["ada@profile", "k"],
            ],
          )
        }),
      Effect.succeed({ userId: UserId.make("ada"), email: "ada@profile" }),
    ),
  )

  it.effect("refuses an unknown player whose token the provider refuses, or names another player for", () =>
    Effect.gen(function* () {
      const attempt = (
        profile: Effect.Effect<{ userId: UserId; email: string }, TokenRejected | CognitoFailure>,
      ) =>
        withSql(
          (batch) => Effect.succeed(batch.map(() => outcome("UnknownPlayer"))),
          (increment) => Effect.flip(increment.raise({ ...caller("ada"), email: undefined }, undefined)),
          profile,
        )
      const refused = yield* attempt(Effect.fail(new TokenRejected({ reason: "gone" })))
      const foreign = yield* attempt(Effect.succeed({ userId: UserId.make("eve"), email: "eve@example.com" }))
      const away = yield* attempt(
        Effect.fail(new CognitoFailure({ operation: "profile", cause: new Error("away") })),
      )
      assert.deepStrictEqual(
        [refused._tag, foreign._tag, away._tag],
        ["Unauthorized", "Unauthorized", "Unavailable"],
      )
    }),
  )

  it.effect("fails only the callers of a failed commit, never repeats it, and continues", () =>
    withSql(
      (batch, number) =>
        number === 1 ? Effect.fail(failure) : Effect.succeed(batch.map(() => outcome("Counted"))),
      (increment, world) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(increment.raise(caller("ada"), undefined))
          assert.strictEqual(error._tag, "Unavailable")
          yield* increment.raise(caller("grace"), undefined)
          assert.strictEqual(world.batches.length, 2)
          assert.strictEqual(world.commits.length, 1)
        }),
    ),
  )

  it.effect("answers at once that it is full instead of growing", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      yield* withSql(
        (batch) =>
          Effect.as(
            Deferred.await(gate),
            batch.map(() => outcome("Counted")),
          ),
        (increment) =>
          Effect.gen(function* () {
            const errors: Array<string> = []
            const raise = (n: number) =>
              Effect.tapError(increment.raise(caller(`player ${n}`), undefined), (error) =>
                Effect.sync(() => errors.push(error._tag === "Unavailable" ? error.dependency : error._tag)),
              )
            const callers = yield* Effect.forEach(
              Array.from({ length: 5000 }, (_, n) => n),
              (n) => Effect.forkChild(raise(n)),
            )
            yield* Effect.yieldNow
            assert.isAbove(errors.length, 100)
            assert.deepStrictEqual([...new Set(errors)], ["capacity"])
            yield* Deferred.succeed(gate, undefined)
            const exits = yield* Fiber.awaitAll(callers)
            assert.strictEqual(exits.filter(Exit.isSuccess).length, callers.length - errors.length)
          }),
      )
    }),
  )
})
