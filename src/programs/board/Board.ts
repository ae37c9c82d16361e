import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { BOARD_SIZE, type Board as StampedBoard } from "../../domain/Score.ts"
import { labelledCounter } from "../../foundation/LabelledCounter.ts"
import { outageLog } from "../../foundation/OutageLog.ts"
import {
  type BoardWriteOutcome,
  isRedisOutage,
  Redis,
  type RedisFailure,
} from "../../services/Redis/Redis.ts"
import { Sql, type SqlFailure } from "../../services/Sql/Sql.ts"
import { makeLastBoard, type RedisBoard } from "./LastBoard.ts"
import type { ShownBoard } from "./ShownBoard.ts"

const reads = labelledCounter({
  name: "board_reads_total",
  description: "Boards read for viewers, by where they came from.",
  label: "source",
  values: ["redis", "postgresql"],
})
const writes = labelledCounter({
  name: "board_writes_total",
  description: "Boards offered to Redis, by what Redis did with them.",
  label: "outcome",
  values: ["written", "renewed", "older"],
})

export class Board extends Context.Service<
  Board,
  {
    /**
     * The newest board: from Redis, otherwise from PostgreSQL. If Redis had none, the board is stored there for the
     * next reader. If Redis has one of an epoch that this process does not know, PostgreSQL decides: every read asks
     * it until the two have the same epoch. Single-flight: one read serves all callers that arrive while it runs. Fails
     * if both are unavailable.
     */
    readonly current: Effect.Effect<ShownBoard, SqlFailure>

    /**
     * Selects the board from PostgreSQL and offers it to Redis, which publishes it if it is newer. Fails if PostgreSQL
     * is unavailable, but then renews the board in Redis first, so that it does not expire.
     */
    readonly refresh: Effect.Effect<BoardWriteOutcome, SqlFailure | RedisFailure>
  }
>()("scoreboard/programs/Board") {
  /** How public answers show addresses. Redis, the queue and the table always contain them in full. */
  static readonly config = {
    email: Config.schema(Schema.Literals(["full", "masked"]), "BOARD_EMAIL").pipe(
      Config.withDefault("full" as const),
    ),
  }

  static readonly layer = Layer.effect(
    Board,
    Effect.suspend(() => make),
  )
}

/** A board as it is stored in Redis; `publishedAt` in milliseconds since 1970. */
const toText = ({ scores, epoch, version, committedAt }: StampedBoard, publishedAt: number) =>
  JSON.stringify({ scores, epoch, version, committedAt, publishedAt })

/** Offers a board to Redis, with the time at which it does. */
const writeTo = (redis: Redis["Service"]) =>
  Effect.fnUntraced(function* (board: StampedBoard) {
    const json = toText(board, yield* Clock.currentTimeMillis)
    const outcome = yield* redis.writeBoard({ json, epoch: board.epoch, version: board.version })
    yield* writes.add(outcome)
    return outcome
  })

const make = Effect.gen(function* () {
  const redis = yield* Redis
  const sql = yield* Sql
  const last = makeLastBoard(yield* Board.config.email)
  const write = writeTo(redis)
  const select = sql.top(BOARD_SIZE)

  const readOutage = outageLog({
    begins: "The board cannot be read from Redis and is read from PostgreSQL",
    ends: "The board is read from Redis again",
    belongs: isRedisOutage,
  })
  const writeOutage = outageLog({
    begins: "The board cannot be stored or renewed in Redis",
    ends: "The board is stored or renewed in Redis again",
  })
  const decideOutage = outageLog({
    begins: "Redis has a board of an unknown epoch, about which PostgreSQL cannot be asked",
    ends: "PostgreSQL can be asked about boards of an unknown epoch again",
  })

  const countRedis = reads.add("redis")
  const countPostgres = reads.add("postgresql")
  const readRedis = redis.readBoard.pipe(
    readOutage,
    Effect.flatMap((text) => (Option.isNone(text) ? Effect.succeedNone : last.fromRedis(text.value))),
  )
  const readPostgres = Effect.andThen(countPostgres, Effect.map(select, last.fromPostgres))
  // Redis has no board: the next reader finds this one there. A board that cannot be stored is shown all the same.
  const readPostgresAndStore = Effect.andThen(countPostgres, select).pipe(
    Effect.tap((board) => Effect.ignore(writeOutage(write(board)))),
    Effect.map(last.fromPostgres),
  )
  // The board is not stored: two installations that share a key by mistake would replace each other's endlessly.
  const showFromRedis = (there: RedisBoard) =>
    there._tag === "Shown"
      ? Effect.as(countRedis, there.shown)
      : Effect.match(Effect.andThen(countPostgres, decideOutage(select)), {
          onSuccess: there.decide,
          onFailure: there.withoutPostgres,
        })
  const read = Effect.matchEffect(readRedis, {
    onSuccess: (there) => (Option.isSome(there) ? showFromRedis(there.value) : readPostgresAndStore),
    onFailure: () => readPostgres,
  })
  // Nothing is cached, only shared: a result expires before any time that a clock can show, even one that is set back.
  const current = yield* Effect.cachedWithTTL(read, Duration.negativeInfinity)

  // Without PostgreSQL nothing changes, so the board in Redis is still right. What this process selected last may be
  // older than that board, or of an earlier epoch, so it is not written again.
  const renew = Effect.ignore(writeOutage(redis.renewBoard))
  const refresh = Effect.flatMap(
    Effect.tapError(select, () => renew),
    write,
  )

  return Board.of({ current, refresh })
})
