import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Hash from "effect/Hash"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as Schema from "effect/Schema"
import { isOlder } from "../../domain/BoardOrder.ts"
import {
  type BoardEmail,
  type BoardUpdate,
  BoardUpdateJson,
  encodePublicBoard,
} from "../../domain/Messages.ts"
import { BOARD_SIZE, type Board as StampedBoard } from "../../domain/Score.ts"
import { labelledCounter } from "../../foundation/LabelledCounter.ts"
import { type BoardWriteOutcome, Redis, type RedisFailure } from "../../services/Redis/Redis.ts"
import { Sql, type SqlFailure } from "../../services/Sql/Sql.ts"
import { shared } from "./Shared.ts"

/** After this many failures in a row Redis is not asked for a while, so that no reader waits for its time limit. */
const TRIP_AFTER = 3

/** The first of them is not told to the circuit breaker, which has no part in reads while all is well. */
const TOLD_FAILURES = TRIP_AFTER - 1

/** How long Redis is left alone: the board comes from PostgreSQL meanwhile. */
const OPEN_FOR = "1 second"

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

/** A board ready to be shown: made once per change, whoever asks for it. */
export interface ShownBoard {
  readonly update: BoardUpdate
  /** `{"scores":[…]}`: the same for every viewer. */
  readonly json: string
  /**
   * Strong entity tag, quotes included. Clients read epoch and version in it: `"<epoch>-<version>"`, or with `-masked`
   * behind. That of an unstamped board ends otherwise.
   */
  readonly etag: string
}

export class Board extends Context.Service<
  Board,
  {
    /**
     * The newest board there is: from Redis, else from PostgreSQL (and then stored in Redis for the next one).
     * One read serves all callers that arrive while it runs. Fails when both are away.
     */
    readonly current: Effect.Effect<ShownBoard, SqlFailure>

    /**
     * Selects the board from PostgreSQL and offers it to Redis, which publishes it when it is newer. Fails when
     * PostgreSQL is away, but then still keeps the board in Redis from expiring.
     */
    readonly refresh: Effect.Effect<BoardWriteOutcome, SqlFailure | RedisFailure>
  }
>()("scoreboard/programs/Board") {
  /** How every public path shows addresses; Redis, the queue and the table always have them in full. */
  static readonly config = {
    email: Config.schema(Schema.Literals(["full", "masked"]), "BOARD_EMAIL").pipe(
      Config.withDefault("full" as const),
    ),
  }

  static readonly layer = Layer.effect(
    Board,
    Effect.suspend(() => make),
  ).pipe(Layer.provide(CircuitBreaker.layerStoreMemory()))
}

const decodeUpdate = Schema.decodeUnknownEffect(BoardUpdateJson)

/** A board as it is stored in Redis; `publishedAt` in milliseconds since 1970. */
const toText = ({ scores, epoch, version, committedAt }: StampedBoard, publishedAt: number) =>
  JSON.stringify({ scores, epoch, version, committedAt, publishedAt })

/** Makes a board ready to be shown. */
export const show = (update: BoardUpdate, boardEmail: BoardEmail = "full"): ShownBoard => {
  const json = encodePublicBoard(update.scores, boardEmail)
  const etag =
    update.epoch === undefined || update.version === undefined
      ? `"${json.length}-${Hash.string(json)}-unstamped"`
      : `"${update.epoch}-${update.version}${boardEmail === "masked" ? "-masked" : ""}"`
  return { update, json, etag }
}

/** Reads a board that came through Redis; none, with an error in the log, when it is not one. */
export const decodeBoard = (json: string): Effect.Effect<Option.Option<BoardUpdate>> =>
  decodeUpdate(json).pipe(
    Effect.map(Option.some),
    Effect.catch((cause) =>
      Effect.as(Effect.logError("A board in Redis is not valid and was not shown", cause), Option.none()),
    ),
  )

/** An open circuit was told of when it opened: repeating it for every reader would only fill the log. */
const unlessOpen = (message: string, error: RedisFailure | CircuitBreaker.CircuitBreakerError) =>
  error._tag === "RedisFailure" ? Effect.logWarning(message, error) : Effect.void

const make = Effect.gen(function* () {
  const redis = yield* Redis
  const sql = yield* Sql
  const boardEmail = yield* Board.config.email
  const breaker = yield* CircuitBreaker.make({
    tripPolicy: CircuitBreaker.consecutive(TOLD_FAILURES),
    openDuration: OPEN_FOR,
  })
  // `text` is what Redis held; undefined: the board came from PostgreSQL.
  let last: { readonly text: string | undefined; readonly board: ShownBoard } | undefined

  const write = Effect.fnUntraced(function* (board: StampedBoard) {
    const publishedAt = yield* Clock.currentTimeMillis
    const outcome = yield* redis.writeBoard({
      json: toText(board, publishedAt),
      epoch: board.epoch,
      version: board.version,
    })
    yield* writes.add(outcome)
    return outcome
  })

  let well = true
  const readWell = Effect.tapError(redis.readBoard, () =>
    Effect.sync(() => {
      well = false
    }),
  )
  const readGuarded = Effect.tap(breaker.execute(redis.readBoard, { key: "redis" }), () =>
    Effect.sync(() => {
      well = true
    }),
  )

  /** Takes a text that Redis holds: what is shown from now on, none when it is no board. */
  const take = Effect.fnUntraced(function* (text: string) {
    const update = yield* decodeBoard(text)
    if (Option.isNone(update)) return Option.none()
    // An emptied Redis takes a board that was selected before the one it lost: the next tick replaces it.
    if (last !== undefined && isOlder(update.value, last.board.update)) return Option.some(last.board)
    last = { text, board: show(update.value, boardEmail) }
    return Option.some(last.board)
  })

  const fromRedis = Effect.suspend(() => (well ? readWell : readGuarded)).pipe(
    Effect.flatMap((text) => {
      if (Option.isNone(text)) return Effect.succeedNone
      return last?.text === text.value ? Effect.succeed(Option.some(last.board)) : take(text.value)
    }),
    Effect.catch((error) =>
      Effect.as(unlessOpen("The board could not be read from Redis", error), Option.none()),
    ),
  )

  const fromSql = Effect.gen(function* () {
    const board = yield* sql.top(BOARD_SIZE)
    yield* Effect.catch(breaker.execute(write(board), { key: "redis" }), (error) =>
      unlessOpen("The board could not be stored in Redis", error),
    )
    last = { text: undefined, board: show(board, boardEmail) }
    return last.board
  })

  const countFromRedis = reads.add("redis")
  const countFromSql = reads.add("postgresql")
  const current = yield* shared(
    Effect.flatMap(fromRedis, (cached) =>
      Option.isSome(cached) ? Effect.as(countFromRedis, cached.value) : Effect.andThen(countFromSql, fromSql),
    ),
  )

  // Without PostgreSQL nothing changes, so what Redis has is still the truth. What this process selected last may be
  // older, or of an epoch that has ended since: it is not brought back.
  const renew = Effect.catch(redis.renewBoard, (error) =>
    Effect.logWarning("The last board could not be kept", error),
  )
  const refresh = sql.top(BOARD_SIZE).pipe(
    Effect.tapError(() => renew),
    Effect.flatMap(write),
  )

  return Board.of({ current, refresh })
})
