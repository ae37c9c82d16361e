import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Command from "effect/cli/Command"
import * as TestConsole from "effect/testing/TestConsole"
import { encodeIncrement } from "../../../../src/domain/Messages.ts"
import { UserId } from "../../../../src/domain/Score.ts"
import { deadLettersRedrive } from "../../../../src/programs/admin/DeadLetterCommands.ts"
import { SqsFailure } from "../../../../src/services/Sqs/Sqs.ts"
import { type DeadLetter, SqsDeadLetters } from "../../../../src/services/Sqs/SqsDeadLetters.ts"

const letter = (id: string): DeadLetter => ({
  id,
  receipt: id,
  body: encodeIncrement({ userId: UserId.make(id), email: "ada@example.com" }),
  attributes: {},
  receiveCount: 6,
  sentAt: undefined,
})

const failed = (operation: SqsFailure["operation"]) =>
  new SqsFailure({ operation, cause: new Error("AccessDenied") })

/** Redrives two messages, `a` and `b`, and gives the error, the answer and what became visible again. */
const redrive = (calls: Partial<SqsDeadLetters["Service"]>) =>
  Effect.gen(function* () {
    const released: Array<string> = []
    let receives = 0
    const queue = Layer.succeed(SqsDeadLetters, {
      url: "http://localhost/dead",
      held: Effect.succeed(2),
      // A hidden message comes again when it was hidden for too long.
      receive: () => Effect.sync(() => (receives++ < 2 ? [letter("a"), letter("b")] : [])),
      release: (letters) => Effect.sync(() => void released.push(...letters.map(({ id }) => id))),
      send: () => Effect.succeed([]),
      delete: () => Effect.succeed([]),
      ...calls,
    })
    const exit = yield* Effect.result(
      Command.runWith(deadLettersRedrive, { version: "0" })([]).pipe(Effect.provide(queue)),
    )
    const lines = (yield* TestConsole.logLines).map(String)
    return {
      error: exit._tag === "Failure" ? exit.failure : undefined,
      outcomes: lines.map((line) => line.split(/ +/).slice(0, 2).join(" ")),
      last: lines.at(-1),
      errors: (yield* TestConsole.errorLines).map(String),
      released,
    }
  }).pipe(Effect.provide(Layer.merge(NodeServices.layer, TestConsole.layer)))

describe("admin dead-letters redrive", () => {
  it.effect("sends each message once, even if it comes again, and releases nothing that it deleted", () =>
    Effect.gen(function* () {
      const { error, last, outcomes } = yield* redrive({})
      assert.isUndefined(error)
      assert.deepStrictEqual(outcomes.slice(0, 2), ["redriven a", "redriven b"])
      assert.strictEqual(last, "redriven: 2, copied: 0, refused: 0, left: 0")
    }),
  )

  it.effect("leaves what SQS does not take, and asks for another run", () =>
    Effect.gen(function* () {
      const deleted: Array<string> = []
      const { error, last, released } = yield* redrive({
        send: () => Effect.succeed([0]),
        delete: (letters) => Effect.sync(() => (deleted.push(...letters.map(({ id }) => id)), [])),
      })
      assert.deepInclude(error, { _tag: "AdminRefused" })
      assert.strictEqual(last, "redriven: 1, copied: 0, refused: 1, left: 0")
      assert.deepStrictEqual(deleted, ["b"])
      assert.include(released, "a")
    }),
  )

  it.effect("says what was sent but not deleted, and makes it visible again", () =>
    Effect.gen(function* () {
      const { error, last, released } = yield* redrive({ delete: () => Effect.fail(failed("delete")) })
      assert.deepInclude(error, { _tag: "AdminUnanswered", message: "SQS (delete): AccessDenied" })
      assert.strictEqual(last, "redriven: 0, copied: 2, refused: 0, left: 0")
      assert.deepStrictEqual(released.toSorted(), ["a", "b"])
    }),
  )

  it.effect("sends nothing away that it could not send", () =>
    Effect.gen(function* () {
      let deletes = 0
      const { error, last, released } = yield* redrive({
        send: () => Effect.fail(failed("send")),
        delete: () => Effect.sync(() => (deletes++, [])),
      })
      assert.deepInclude(error, { _tag: "AdminUnanswered" })
      assert.strictEqual(last, "redriven: 0, copied: 0, refused: 0, left: 0")
      assert.strictEqual(deletes, 0)
      assert.deepStrictEqual(released.toSorted(), ["a", "b"])
    }),
  )

  it.effect("tells if it cannot make messages visible again, and has done its work all the same", () =>
    Effect.gen(function* () {
      const { error, errors, last } = yield* redrive({
        send: () => Effect.succeed([0]),
        release: () => Effect.fail(failed("release")),
      })
      assert.deepInclude(error, { _tag: "AdminRefused" })
      assert.strictEqual(last, "redriven: 1, copied: 0, refused: 1, left: 0")
      assert.deepStrictEqual(errors, ["SQS (release): AccessDenied: what is left stays hidden for a minute"])
    }),
  )
})
