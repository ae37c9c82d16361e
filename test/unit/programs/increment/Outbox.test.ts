import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { UserId } from "../../../../src/domain/Score.ts"
import { Outbox } from "../../../../src/programs/increment/Outbox.ts"
import type { Commit } from "../../../../src/programs/increment/OutboxSender.ts"
import { type OutboxCommit, Sql } from "../../../../src/services/Sql/Sql.ts"
import { type OutgoingMessage, Sqs, SqsFailure } from "../../../../src/services/Sqs/Sqs.ts"
import { hopDuring } from "../observe/fixtures.ts"

const commit = (outboxId: string, events: number): Commit => ({
  outboxId,
  committedAt: 1_700_000_000_000,
  events: Array.from({ length: events }, (_, n) => ({
    id: `${outboxId}.${n}`,
    userId: UserId.make("ada"),
    email: "ada@example.com",
  })),
})

interface World {
  readonly calls: Array<ReadonlyArray<OutgoingMessage>>
  readonly deleted: Array<string>
  deletions: number
  rows: ReadonlyArray<OutboxCommit>
}

const withQueue = (
  send: (messages: ReadonlyArray<OutgoingMessage>) => Effect.Effect<ReadonlyArray<number>, SqsFailure>,
  test: (outbox: Outbox["Service"], world: World) => Effect.Effect<void>,
) => {
  const world: World = { calls: [], deleted: [], deletions: 0, rows: [] }
  const services = Layer.mergeAll(
    Layer.mock(Sqs)({
      send: (messages) => Effect.suspend(() => (world.calls.push(messages), send(messages))),
    }),
    Layer.mock(Sql)({
      deleteOutbox: (ids) =>
        Effect.sync(() => {
          world.deletions++
          world.deleted.push(...ids)
        }),
      leaseOutbox: ({ limit }) =>
        Effect.sync(() => {
          const rows = world.rows.slice(0, limit)
          world.rows = world.rows.slice(limit)
          return rows
        }),
    }),
  )
  return Effect.flatMap(Outbox, (outbox) => test(outbox, world)).pipe(
    Effect.provide(Outbox.layer.pipe(Layer.provide(services))),
  )
}

describe("Outbox", () => {
  it.effect("sends one message per increment, at most ten a call, and then deletes the commit", () =>
    withQueue(
      () => Effect.succeed([]),
      (outbox, world) =>
        Effect.gen(function* () {
          outbox.offer(commit("1", 23))
          yield* TestClock.adjust("1 millis")
          assert.deepStrictEqual(
            world.calls.map((call) => call.length),
            [10, 10, 3],
          )
          assert.deepStrictEqual(world.calls[0]?.[0], {
            body: '{"userId":"ada","email":"ada@example.com","type":"score.increment"}',
            attributes: { eventId: "1.0", committedAt: "1700000000000" },
          })
          assert.deepStrictEqual(world.deleted, ["1"])
        }),
    ),
  )

  it.effect("measures each commit until SQS has all of it", () =>
    withQueue(
      (messages) =>
        Effect.succeed(messages.some(({ attributes }) => attributes["eventId"] === "2.0") ? [0] : []),
      (outbox) =>
        Effect.gen(function* () {
          yield* TestClock.adjust("250 millis")
          outbox.offer({ ...commit("1", 3), committedAt: 0 })
          const sent = Effect.gen(function* () {
            yield* TestClock.adjust("1 millis")
            outbox.offer(commit("2", 1))
            yield* TestClock.adjust("1 millis")
          })
          assert.deepStrictEqual(yield* hopDuring("commit-queue", sent), { count: 1, millis: 250 })
        }),
    ),
  )

  it.effect("fills calls with the messages of small commits that wait together", () =>
    withQueue(
      () => Effect.succeed([]),
      (outbox, world) =>
        Effect.gen(function* () {
          for (let n = 0; n < 10; n++) outbox.offer(commit(String(n), 1))
          yield* TestClock.adjust("1 millis")
          assert.deepStrictEqual(
            world.calls.map((call) => call.length),
            [10],
          )
          assert.strictEqual(world.deleted.length, 10)
        }),
    ),
  )

  it.effect("sends lone commits at once, one call each", () =>
    withQueue(
      () => Effect.succeed([]),
      (outbox, world) =>
        Effect.gen(function* () {
          for (let n = 0; n < 20; n++) {
            outbox.offer(commit(String(n), 1))
            yield* TestClock.adjust("1 millis")
            assert.strictEqual(world.calls.length, n + 1)
            yield* TestClock.adjust("19 millis")
          }
        }),
    ),
  )

  it.effect("sends together what is committed while the last call was under way, and as long again", () =>
    withQueue(
      () => Effect.delay(Effect.succeed([]), "4 millis"),
      (outbox, world) =>
        Effect.gen(function* () {
          yield* TestClock.adjust("1 second")
          for (let n = 0; n < 4; n++) {
            outbox.offer(commit(String(n), 1))
            yield* TestClock.adjust("2 millis")
          }
          yield* TestClock.adjust("20 millis")
          assert.deepStrictEqual(
            world.calls.map((call) => call.length),
            [1, 3],
          )
        }),
    ),
  )

  it.effect("makes no more than a call every 10 ms when commits come quickly", () =>
    withQueue(
      () => Effect.succeed([]),
      (outbox, world) =>
        Effect.gen(function* () {
          for (let n = 0; n < 1000; n++) {
            outbox.offer(commit(String(n), 1))
            yield* TestClock.adjust("1 millis")
          }
          assert.isAtMost(world.calls.length, 110)
        }),
    ),
  )

  it.effect("deletes the rows of all that was sent in 200 ms by one statement", () =>
    withQueue(
      () => Effect.succeed([]),
      (outbox, world) =>
        Effect.gen(function* () {
          outbox.offer(commit("0", 1))
          yield* TestClock.adjust("1 millis")
          for (let n = 1; n <= 5; n++) {
            outbox.offer(commit(String(n), 1))
            yield* TestClock.adjust("20 millis")
          }
          assert.deepStrictEqual(world.deleted, ["0"])
          yield* TestClock.adjust("100 millis")
          assert.deepStrictEqual(world.deleted, ["0", "1", "2", "3", "4", "5"])
          assert.strictEqual(world.deletions, 2)
        }),
    ),
  )

  it.effect("deletes the row of what was sent just before it stops", () =>
    Effect.gen(function* () {
      let seen: World | undefined
      yield* withQueue(
        () => Effect.succeed([]),
        (outbox, world) =>
          Effect.gen(function* () {
            seen = world
            for (const id of ["1", "2"]) {
              outbox.offer(commit(id, 1))
              yield* TestClock.adjust("20 millis")
            }
            assert.deepStrictEqual(world.deleted, ["1"])
          }),
      )
      assert.deepStrictEqual(seen?.deleted, ["1", "2"])
    }),
  )

  it.effect("keeps a commit of which one message was refused or a call failed", () =>
    withQueue(
      (messages) =>
        messages.some(({ attributes }) => attributes["eventId"] === "2.0")
          ? Effect.fail(new SqsFailure({ operation: "send", cause: new Error("away") }))
          : Effect.succeed(
              messages.flatMap(({ attributes }, n) => (attributes["eventId"] === "3.1" ? [n] : [])),
            ),
      (outbox, world) =>
        Effect.gen(function* () {
          outbox.offer(commit("1", 10))
          outbox.offer(commit("2", 10))
          outbox.offer(commit("3", 10))
          yield* TestClock.adjust("1 millis")
          assert.deepStrictEqual(world.deleted, ["1"])
        }),
    ),
  )

  it.effect("sweeps up what nobody sent, with the time of its commit", () =>
    withQueue(
      () => Effect.succeed([]),
      (_, world) =>
        Effect.gen(function* () {
          world.rows = [{ id: "9", committedAt: 1_600_000_000_000, messages: commit("9", 2).events }]
          yield* TestClock.adjust("5 seconds")
          assert.deepStrictEqual(
            world.calls.flat().map(({ attributes }) => attributes["committedAt"]),
            ["1600000000000", "1600000000000"],
          )
          assert.deepStrictEqual(world.deleted, ["9"])
        }),
    ),
  )

  const backlog = Array.from({ length: 500 }, (_, n): OutboxCommit => {
    const id = String(n)
    return { id, committedAt: 1_600_000_000_000, messages: commit(id, 1).events }
  })

  it.effect("sweeps on at once while there is more and it is taken", () =>
    withQueue(
      () => Effect.succeed([]),
      (_, world) =>
        Effect.gen(function* () {
          yield* TestClock.adjust("10 seconds")
          world.rows = backlog
          yield* TestClock.adjust("3 seconds")
          assert.strictEqual(world.deleted.length, backlog.length)
        }),
    ),
  )

  it.effect("sweeps once in a while as long as nothing is taken", () =>
    withQueue(
      () => Effect.fail(new SqsFailure({ operation: "send", cause: new Error("away") })),
      (_, world) =>
        Effect.gen(function* () {
          yield* TestClock.adjust("10 seconds")
          world.rows = backlog
          yield* TestClock.adjust("3 seconds")
          assert.isBelow(world.calls.flat().length, backlog.length / 2)
        }),
    ),
  )

  it.effect("sends what is still waiting when it stops", () =>
    Effect.gen(function* () {
      let seen: World | undefined
      yield* withQueue(
        () => Effect.succeed([]),
        (outbox, world) =>
          Effect.sync(() => {
            seen = world
            outbox.offer(commit("1", 3))
          }),
      )
      assert.deepStrictEqual(
        seen?.calls.map((call) => call.length),
        [3],
      )
      assert.deepStrictEqual(seen?.deleted, ["1"])
    }),
  )

  it.effect("continues to send after a defect", () =>
    Effect.gen(function* () {
      let broken = true
      yield* withQueue(
        () => (broken ? Effect.die("a defect") : Effect.succeed([])),
        (outbox, world) =>
          Effect.gen(function* () {
            outbox.offer(commit("1", 1))
            yield* TestClock.adjust("5 seconds")
            broken = false
            outbox.offer(commit("2", 1))
            yield* TestClock.adjust("1 millis")
            assert.deepStrictEqual(world.deleted, ["2"])
          }),
      )
    }),
  )
})
