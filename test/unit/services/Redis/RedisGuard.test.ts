import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TestClock from "effect/testing/TestClock"
import { isRedisOutage, RedisFailure, type Taken } from "../../../../src/services/Redis/Redis.ts"
import { makeRedisGuard } from "../../../../src/services/Redis/RedisGuard.ts"
import { makeRedisMemory } from "../../../../src/services/Redis/RedisMemory.ts"
import { boardWrite } from "../../../contracts/Redis.ts"

const BUCKET = { kind: "test", who: "ada", burst: 1_000, refillMicros: 1_000_000 }

type Answer = "works" | "fails" | "is late" | "does not answer"

/** A guarded Redis whose answers are the test's; `sent` are the commands that reached it. */
const setup = () => {
  const world = { answer: "works" as Answer, sent: [] as Array<RedisFailure["operation"]> }
  const memory = makeRedisMemory({ board: undefined })
  const command = <A>(operation: RedisFailure["operation"], works: Effect.Effect<A, RedisFailure>) =>
    Effect.suspend(() => {
      world.sent.push(operation)
      if (world.answer === "works") return works
      const isLate = world.answer === "is late"
      const failure = Effect.fail(
        new RedisFailure({ operation, cause: new Error("no answer in time"), isLate }),
      )
      return world.answer === "fails" || isLate ? failure : Effect.delay(failure, "300 millis")
    })
  const guard = makeRedisGuard()
  const redis = guard.protect({
    readBoard: command("readBoard", memory.readBoard),
    writeBoard: (board) => command("writeBoard", memory.writeBoard(board)),
    renewBoard: command("renewBoard", memory.renewBoard),
    notifications: memory.notifications,
    take: (bucket) => command("take", memory.take(bucket)),
    ping: command("ping", memory.ping),
  })
  /** One of each guarded command. */
  const commands = [redis.readBoard, redis.writeBoard(boardWrite(1)), redis.renewBoard, redis.take(BUCKET)]
  const failThreeTimes = Effect.repeat(Effect.ignore(redis.readBoard), { times: 2 })
  return { world, guard, redis, commands, failThreeTimes }
}

describe("RedisGuard", () => {
  it.effect("sends no command for a second after three failures in a row, of whatever commands", () =>
    Effect.gen(function* () {
      const { world, commands } = setup()
      world.answer = "fails"
      for (const command of commands.slice(1)) yield* Effect.flip(command)
      assert.deepStrictEqual(world.sent, ["writeBoard", "renewBoard", "take"])

      yield* TestClock.adjust("999 millis")
      const operations = ["readBoard", "writeBoard", "renewBoard", "take"]
      for (const [at, command] of commands.entries()) {
        const failure = yield* Effect.flip(command)
        assert.strictEqual(failure._tag, "RedisFailure")
        assert.strictEqual(failure.operation, operations[at])
      }
      assert.strictEqual(world.sent.length, 3)
    }),
  )

  it.effect("sends all commands after failures that were not in a row", () =>
    Effect.gen(function* () {
      const { world, redis } = setup()
      for (let n = 0; n < 5; n++) {
        world.answer = "fails"
        yield* Effect.flip(redis.readBoard)
        yield* Effect.flip(redis.readBoard)
        world.answer = "works"
        yield* redis.readBoard
      }
      assert.strictEqual(world.sent.length, 15)
    }),
  )

  it.effect("lets one caller per second through, and all of them after its success", () =>
    Effect.gen(function* () {
      const { world, redis, failThreeTimes } = setup()
      world.answer = "fails"
      yield* failThreeTimes
      world.answer = "does not answer"
      for (const second of [1, 2, 3]) {
        yield* TestClock.adjust("1 second")
        const probe = yield* Effect.forkChild(Effect.flip(redis.take(BUCKET)), { startImmediately: true })
        for (let n = 0; n < 10; n++) yield* Effect.flip(redis.take(BUCKET))
        assert.strictEqual(world.sent.length, 3 + second, "the others do not wait for the probe")
        yield* TestClock.adjust("300 millis")
        yield* Fiber.join(probe)
      }

      world.answer = "works"
      yield* Effect.flip(redis.readBoard)
      yield* TestClock.adjust("1 second")
      assert.isTrue(Option.isNone(yield* redis.readBoard))
      const taken: Taken = yield* redis.take(BUCKET)
      assert.isTrue(taken.allowed)
      assert.strictEqual(world.sent.length, 8)
    }),
  )

  it.effect("lets another caller through a second after a probe that was interrupted", () =>
    Effect.gen(function* () {
      const { world, redis, failThreeTimes } = setup()
      world.answer = "fails"
      yield* failThreeTimes
      world.answer = "does not answer"
      yield* TestClock.adjust("1 second")
      const probe = yield* Effect.forkChild(redis.readBoard, { startImmediately: true })
      yield* Fiber.interrupt(probe)
      world.answer = "works"
      yield* Effect.flip(redis.readBoard)
      yield* TestClock.adjust("1 second")
      yield* redis.readBoard
      yield* redis.readBoard
    }),
  )

  it.effect("always sends a ping, which neither begins nor ends an outage", () =>
    Effect.gen(function* () {
      const { world, redis, failThreeTimes } = setup()
      world.answer = "fails"
      for (let n = 0; n < 5; n++) yield* Effect.flip(redis.ping)
      yield* failThreeTimes
      assert.strictEqual(world.sent.length, 8)
      world.answer = "works"
      yield* redis.ping
      yield* Effect.flip(redis.readBoard)
      assert.strictEqual(world.sent.length, 9)
    }),
  )

  it.effect("sends commands at once when a connection is established", () =>
    Effect.gen(function* () {
      const { world, guard, redis, failThreeTimes } = setup()
      world.answer = "fails"
      yield* failThreeTimes
      world.answer = "works"
      guard.reset()
      assert.strictEqual(yield* redis.writeBoard(boardWrite(1)), "written")
    }),
  )

  it.effect("counts no late command as a failure: its outcome is told later", () =>
    Effect.gen(function* () {
      const { world, guard, redis } = setup()
      world.answer = "is late"
      for (let n = 0; n < 10; n++) yield* Effect.flip(redis.readBoard)
      assert.strictEqual(world.sent.length, 10)
      guard.trip()
      yield* Effect.flip(redis.readBoard)
      yield* TestClock.adjust("999 millis")
      yield* Effect.flip(redis.readBoard)
      assert.strictEqual(world.sent.length, 10, "no command is sent for a second")
      yield* TestClock.adjust("1 millis")
      for (let n = 0; n < 10; n++) yield* Effect.flip(redis.readBoard)
      assert.strictEqual(world.sent.length, 11, "the late probe is the only one of its second")
      guard.reset()
      world.answer = "works"
      yield* redis.readBoard
    }),
  )

  it.effect("sends no read, no attempt and no ping while Redis refuses writes, but writes", () =>
    Effect.gen(function* () {
      const { world, guard, redis } = setup()
      guard.refuse("OOM")
      for (const command of [redis.readBoard, redis.take(BUCKET), redis.ping]) {
        const failure = yield* Effect.flip(command)
        assert.match(String(failure.cause), /OOM/)
        assert.isTrue(isRedisOutage(failure))
      }
      world.answer = "fails"
      for (let n = 0; n < 3; n++) yield* Effect.flip(redis.writeBoard(boardWrite(1)))
      assert.deepStrictEqual(world.sent, ["writeBoard", "writeBoard", "writeBoard"])

      world.answer = "works"
      guard.accept()
      assert.strictEqual(yield* redis.writeBoard(boardWrite(1)), "written", "without a pause")
      yield* redis.readBoard
      yield* redis.ping
    }),
  )
})
