import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import { BOARD_KEY, BOARD_TTL_SECONDS } from "../../domain/Messages.ts"
import { type Bucket, defineTake, runTake, type Taken } from "./RedisBucket.ts"
import { describeRedisError, openConnection } from "./RedisConnection.ts"
import { makeRedisMemory } from "./RedisMemory.ts"
import { defineWriteBoard, runWriteBoard } from "./RedisScript.ts"
import { subscribeBoard } from "./RedisSubscription.ts"
import { redisConfig } from "./RedisUrl.ts"

/** Redis refused, or did not answer in time. `cause` is for the log, never for a client. */
export class RedisFailure extends Schema.TaggedError<RedisFailure>()("RedisFailure", {
  operation: Schema.Literals(["readBoard", "writeBoard", "renewBoard", "take", "ping"]),
  cause: Schema.Defect(),
}) {}

/** A board on its way into Redis: its JSON text and the two fields by which Redis orders boards. */
export interface BoardWrite {
  /** The text that is stored and published, untouched. */
  readonly json: string
  readonly epoch: string
  readonly version: number
}

/**
 * What a compare-and-set did: `written` = stored and published; `renewed` = the same version was there, its
 * time to live was renewed; `older` = a newer version of the same epoch was there, nothing was changed.
 */
export type BoardWriteOutcome = "written" | "renewed" | "older"

/** What a subscriber hears. */
export type BoardNotification =
  /** The subscription stands (again): anything published before was missed, so read the key. */
  | { readonly _tag: "Subscribed" }
  /** The text that was published. */
  | { readonly _tag: "Published"; readonly json: string }

/** One round trip; its failure says what happened and carries nothing that was sent. */
const request = <A>(operation: RedisFailure["operation"], send: () => Promise<A>) =>
  Effect.tryPromise({
    try: send,
    catch: (error) => new RedisFailure({ operation, cause: new Error(describeRedisError(error)) }),
  })

/** The same with a span, which is made also where none is collected: not for what is asked all the time. */
const traced = <A>(operation: RedisFailure["operation"], send: () => Promise<A>) =>
  Effect.withSpan(request(operation, send), `Redis.${operation}`, { kind: "client" })

const isWrongType = (error: unknown): boolean =>
  error instanceof Error && error.message.startsWith("WRONGTYPE")

export class Redis extends Context.Service<
  Redis,
  {
    /**
     * The text under the board's key, none when there is none. A key of the wrong type counts as none, since
     * the next write replaces it. Fails at once when Redis is known to be away, else within 600 ms.
     */
    readonly readBoard: Effect.Effect<Option.Option<string>, RedisFailure>

    /**
     * Stores and publishes a board in one step, unless the one there is as new: another epoch, a value
     * without a stamp, garbage and a key of the wrong type are always replaced; within one epoch only a
     * larger version is. The key's time to live is set to `BOARD_TTL_SECONDS` in every case but `older`.
     */
    writeBoard(board: BoardWrite): Effect.Effect<BoardWriteOutcome, RedisFailure>

    /** Sets the time to live of whatever is under the board's key to `BOARD_TTL_SECONDS`; nothing when there is nothing. */
    readonly renewBoard: Effect.Effect<void, RedisFailure>

    /**
     * Everything published on the board's channel, from now on. Never fails and never ends: it comes back by
     * itself after an outage and says so with `Subscribed`, which is also the first element. A slow consumer
     * loses the oldest messages first: only the newest board matters.
     */
    readonly notifications: Stream.Stream<BoardNotification>

    /** Takes one from a token bucket that all processes share, in one round trip. Not idempotent. */
    take(bucket: Bucket): Effect.Effect<Taken, RedisFailure>

    /** Succeeds when Redis answers. */
    readonly ping: Effect.Effect<void, RedisFailure>
  }
>()("scoreboard/services/Redis") {
  /** What `layer` reads. */
  static readonly config = redisConfig

  /**
   * A Redis server at `REDIS_URL`. A bad or missing URL fails; a Redis that is away does not: every command
   * fails until it is back, and the connections come back by themselves.
   */
  static readonly layer = Layer.effect(
    Redis,
    Effect.gen(function* () {
      const url = yield* Redis.config.url
      const [commands, subscriber] = yield* Effect.all(
        [openConnection("commands", url), openConnection("subscriber", url)],
        { concurrency: 2 },
      )
      defineWriteBoard(commands)
      defineTake(commands)
      return Redis.of({
        readBoard: request("readBoard", () =>
          commands.get(BOARD_KEY).catch((error: unknown) => {
            if (isWrongType(error)) return null
            throw error
          }),
        ).pipe(Effect.map(Option.fromNullOr)),
        writeBoard: (board) => traced("writeBoard", () => runWriteBoard(commands, board)),
        renewBoard: Effect.asVoid(traced("renewBoard", () => commands.expire(BOARD_KEY, BOARD_TTL_SECONDS))),
        notifications: yield* subscribeBoard(subscriber),
        take: (bucket) => request("take", () => runTake(commands, bucket)),
        ping: Effect.asVoid(traced("ping", () => commands.ping())),
      })
    }),
  )

  /** Redis in this process: the same rules, for one process and for tests. */
  static readonly layerMemory = Layer.sync(Redis, () => makeRedisMemory({ board: undefined }))
}
