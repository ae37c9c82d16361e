import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"

/** Redis refused a command, did not answer in time, or is unavailable. `cause` is for the log, never for a client. */
export class RedisFailure extends Schema.TaggedError<RedisFailure>()("RedisFailure", {
  operation: Schema.Literals(["readBoard", "writeBoard", "renewBoard", "take", "ping"]),
  cause: Schema.Defect(),
  /** The caller was not made to wait for a slow Redis. The command may still take effect. Absent: false. */
  isLate: Schema.optionalKey(Schema.Boolean),
}) {}

/** Whether a failure belongs in the log as part of an outage. A slow Redis may be late and in time many times a second. */
export const isRedisOutage = (error: unknown): boolean =>
  !(error instanceof RedisFailure && error.isLate === true)

/** A board to be written to Redis: its JSON text and the two fields by which Redis orders boards. */
export interface BoardWrite {
  /** The text that is stored and published, unchanged. */
  readonly json: string
  readonly epoch: string
  readonly version: number
}

/**
 * What a compare-and-set did: `written` = stored and published; `renewed` = the key had the same version, and its
 * time to live was renewed; `older` = the key had a newer version of the same epoch, and nothing was changed.
 */
export type BoardWriteOutcome = "written" | "renewed" | "older"

/** A token bucket: how fast it fills and how many tokens it has when it is full. */
export interface Bucket {
  /** What is limited. */
  readonly kind: string
  /** Who is limited: an id, an address or an e-mail. Redis stores only a hash of it. */
  readonly who: string
  /** Tokens in a full bucket. */
  readonly burst: number
  /** How long one token takes to come back, in microseconds. */
  readonly refillMicros: number
}

/** The result of one attempt to take a token. */
export interface Taken {
  readonly allowed: boolean
  /** Tokens left: attempts that would be allowed right now. */
  readonly remaining: number
  /** How long until the next attempt is allowed, in milliseconds; 0 while tokens remain. */
  readonly waitMillis: number
}

/** What a subscriber receives. */
export type BoardNotification =
  /** The subscription is established (again). Whatever was published before may be lost, so read the key. */
  | { readonly _tag: "Subscribed" }
  /**
   * Published boards may not arrive, and the key may be old: Redis is unavailable or refuses writes, or the subscription
   * does not hear what this process publishes. Comes at most once a second, while that lasts. Read the board.
   */
  | { readonly _tag: "Doubtful" }
  /** The text that was published. */
  | { readonly _tag: "Published"; readonly json: string }

/**
 * The board's key and channel, and the token buckets that all processes share. While Redis is known to be unavailable
 * (three failures in a row, or a time limit that passed) every command but `ping` fails at once. `readBoard` and `take`
 * have a fallback: they fail after 20 ms beyond the time that Redis usually takes. Other commands take at most 600 ms.
 * While Redis refuses writes, `readBoard`, `take` and `ping` fail at once, because the board in the key may be old.
 */
export class Redis extends Context.Service<
  Redis,
  {
    /**
     * The text under the board's key; none if the key does not exist. A key of the wrong type counts as none, because
     * the next write replaces it.
     */
    readonly readBoard: Effect.Effect<Option.Option<string>, RedisFailure>

    /**
     * Stores and publishes a board in one step, unless the stored board is as new. Idempotent. Within one epoch only a
     * larger version replaces the stored board; another epoch, a value without a stamp, garbage and a key of the wrong
     * type are always replaced. Sets the key's time to live to `BOARD_TTL_SECONDS`, except for `older`.
     */
    writeBoard(board: BoardWrite): Effect.Effect<BoardWriteOutcome, RedisFailure>

    /** Sets the time to live of the board's key to `BOARD_TTL_SECONDS`, whatever its value. Without a key it does nothing. */
    readonly renewBoard: Effect.Effect<void, RedisFailure>

    /**
     * Everything published on the board's channel from now on. Never fails and never ends: after an outage it
     * subscribes again by itself. Every subscription begins with `Subscribed`, the first one too. A slow consumer
     * loses the oldest messages first, because only the newest board matters.
     */
    readonly notifications: Stream.Stream<BoardNotification>

    /** Takes one token from a bucket that all processes share, in one round trip. Not idempotent. */
    take(bucket: Bucket): Effect.Effect<Taken, RedisFailure>

    /** Succeeds when Redis answers and, as far as is known, accepts writes. */
    readonly ping: Effect.Effect<void, RedisFailure>
  }
>()("scoreboard/services/Redis") {}
