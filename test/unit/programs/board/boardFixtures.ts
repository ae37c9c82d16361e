import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import type { Board as StampedBoard } from "../../../../src/domain/Score.ts"
import { Board } from "../../../../src/programs/board/Board.ts"
import { type BoardWrite, Redis, RedisFailure } from "../../../../src/services/Redis/Redis.ts"
import { makeRedisGuard } from "../../../../src/services/Redis/RedisGuard.ts"
import { Sql, SqlFailure } from "../../../../src/services/Sql/Sql.ts"

export const stamped = (version: number): StampedBoard => ({
  scores: [{ email: "ada@example.com", score: version }],
  epoch: "epoch",
  version,
  committedAt: 1,
})

interface World {
  /** The text in Redis; null = Redis fails. */
  redis: string | undefined | null
  sql: StampedBoard | "away"
  reads: number
  /** Reads and writes that failed because Redis was away. */
  refusals: number
  selects: number
  renewals: number
  readonly writes: Array<BoardWrite>
}

/** Redis as its layer for a server gives it: guarded. */
const guarded = (
  redis: Pick<Redis["Service"], "readBoard" | "renewBoard" | "writeBoard">,
): Layer.Layer<Redis> =>
  Layer.effect(Redis, Effect.map(Redis, makeRedisGuard().protect)).pipe(
    Layer.provide(Layer.mock(Redis)({ ...redis, notifications: Stream.never, ping: Effect.never })),
  )

export const withWorld = <A, E>(
  initial: Partial<World>,
  test: (board: Board["Service"], world: World) => Effect.Effect<A, E>,
) => {
  const world: World = {
    redis: undefined,
    sql: stamped(1),
    reads: 0,
    refusals: 0,
    selects: 0,
    renewals: 0,
    writes: [],
    ...initial,
  }
  const services = Layer.mergeAll(
    guarded({
      readBoard: Effect.suspend(() => {
        world.reads++
        if (world.redis === null) world.refusals++
        return world.redis === null
          ? Effect.fail(new RedisFailure({ operation: "readBoard", cause: new Error("away") }))
          : Effect.delay(Effect.succeed(Option.fromUndefinedOr(world.redis)), "10 millis")
      }),
      renewBoard: Effect.suspend(() => {
        world.renewals++
        return world.redis === null
          ? Effect.fail(new RedisFailure({ operation: "renewBoard", cause: new Error("away") }))
          : Effect.void
      }),
      writeBoard: (board) =>
        Effect.suspend(() => {
          if (world.redis === null) {
            world.refusals++
            return Effect.fail(new RedisFailure({ operation: "writeBoard", cause: new Error("away") }))
          }
          world.writes.push(board)
          world.redis = board.json
          return Effect.succeed("written" as const)
        }),
    }),
    Layer.mock(Sql)({
      top: () =>
        Effect.suspend(() => {
          world.selects++
          return world.sql === "away"
            ? Effect.fail(new SqlFailure({ operation: "top", cause: new Error("away") }))
            : Effect.succeed(world.sql)
        }),
    }),
  )
  return Effect.flatMap(Board, (board) => test(board, world)).pipe(
    Effect.provide(Board.layer.pipe(Layer.provide(services))),
  )
}

/** Runs `current` on the test's clock. */
export const read = (board: Board["Service"]) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(board.current)
    yield* TestClock.adjust("10 millis")
    return yield* Fiber.join(fiber)
  })
