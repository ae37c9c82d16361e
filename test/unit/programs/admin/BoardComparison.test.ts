import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/testing/TestClock"
import { compareBoards } from "../../../../src/programs/admin/BoardComparison.ts"
import { RedisFailure } from "../../../../src/services/Redis/Redis.ts"
import { RedisBoard } from "../../../../src/services/Redis/RedisBoard.ts"
import { SqlInspection } from "../../../../src/services/Sql/SqlInspection.ts"

/** One point per version: boards of two versions differ. */
const scoresAt = (version: number) => [{ email: "ada@example.com", score: version + 1 }]

const text = (version: number, epoch = "e1") =>
  JSON.stringify({ scores: scoresAt(version), epoch, version, committedAt: 0 })

interface Sides {
  /** What Redis answers, by the number of looks before; a failure if undefined. */
  readonly redis: (looks: number) => string | undefined
  /** PostgreSQL's version, by the number of looks before. */
  readonly version?: (looks: number) => number
}

/** Compares until the result is there, for a minute at most. */
const compare = ({ redis, version = () => 7 }: Sides) =>
  Effect.gen(function* () {
    const looks = { redis: 0, postgresql: 0 }
    const sides = Layer.merge(
      Layer.mock(SqlInspection, {
        board: Effect.sync(() => {
          const at = version(looks.postgresql++)
          return { scores: scoresAt(at), epoch: "e1", version: at, committedAt: 0 }
        }),
      }),
      Layer.succeed(RedisBoard, {
        absent: undefined,
        read: Effect.suspend(() => {
          const answer = redis(looks.redis++)
          return answer === undefined
            ? Effect.fail(new RedisFailure({ operation: "readBoard", cause: new Error("ECONNREFUSED") }))
            : Effect.succeed(answer === "" ? Option.none() : Option.some(answer))
        }),
      }),
    )
    const comparing = yield* Effect.forkChild(Effect.provide(compareBoards, sides))
    yield* TestClock.adjust("1 minute")
    return yield* Fiber.join(comparing)
  })

const problemOf = (sides: Sides) =>
  Effect.map(compare(sides), ({ first, outcome }) => [outcome, first?.["problem"]])

describe("The comparison of the board in Redis with PostgreSQL's", () => {
  it.effect("finds equal boards of one version right", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* compare({ redis: () => text(7) }), {
        outcome: "ok",
        looked: { version: 7, places: 1 },
      })
    }),
  )

  it.effect("waits for a version that both sides had, in either order, while both move", () =>
    Effect.gen(function* () {
      const behind = yield* compare({ redis: (looks) => text(looks * 3), version: (looks) => looks * 3 + 6 })
      assert.deepStrictEqual(behind, { outcome: "ok", looked: { version: 6, places: 1 } })
      const late = yield* compare({ redis: (looks) => text(looks < 40 ? 0 : 9), version: (looks) => looks })
      assert.strictEqual(late.outcome, "ok")
    }),
  )

  it.effect("finds boards of one version different at the first wrong place, without a full address", () =>
    Effect.gen(function* () {
      const forged = JSON.stringify({ scores: scoresAt(3), epoch: "e1", version: 7 })
      assert.deepStrictEqual(yield* compare({ redis: () => forged }), {
        outcome: "different",
        looked: { version: 7, places: 1 },
        first: {
          problem: "scores",
          version: 7,
          place: 1,
          postgresql: { email: "a…a@example.com", score: 8 },
          redis: { email: "a…a@example.com", score: 4 },
        },
      })
      const empty = JSON.stringify({ scores: [], epoch: "e1", version: 7 })
      const { first } = yield* compare({ redis: () => empty })
      assert.deepInclude(first, { place: 1, redis: null })
    }),
  )

  it.effect(
    "calls a board wrong only if it stays so: missing, old, ahead, of another epoch or unreadable",
    () =>
      Effect.gen(function* () {
        for (const [stored, problem] of [
          ["", "missing"],
          [text(6), "old"],
          [text(8), "ahead"],
          [text(7, "e0"), "another epoch"],
          ['{"scores":[]}', "without a version"],
          ["garbage", "malformed"],
        ] as const) {
          assert.deepStrictEqual(yield* problemOf({ redis: () => stored }), ["different", problem], problem)
          const passing = yield* problemOf({ redis: (looks) => (looks < 100 ? stored : text(7)) })
          assert.deepStrictEqual(passing, ["ok", undefined], problem)
        }
      }),
  )

  it.effect("is unknown while Redis does not answer, and while no version is seen on both sides", () =>
    Effect.gen(function* () {
      const away = yield* compare({ redis: () => undefined })
      assert.deepStrictEqual(away, { outcome: "unknown", looked: {}, reason: "Redis: ECONNREFUSED" })
      const back = yield* compare({ redis: (looks) => (looks < 20 ? undefined : text(7)) })
      assert.strictEqual(back.outcome, "ok")
      // Even versions on one side, odd ones on the other.
      const apart = yield* compare({
        redis: (looks) => text(looks * 2 + 1),
        version: (looks) => looks * 2 + 2,
      })
      assert.strictEqual(apart.outcome, "unknown")
    }),
  )
})
