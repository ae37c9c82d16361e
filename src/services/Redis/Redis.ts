import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"

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

/** A token bucket: how fast it fills and how much it holds. */
export interface Bucket {
  /** What is limited. */
  readonly kind: string
  /** Who is: an id, an address, an e-mail; only a hash of it is kept. */
  readonly who: string
  /** How many it holds when it is full. */
  readonly burst: number
  /** How long it takes to win one back, in microseconds. */
  readonly refillMicros: number
}

/** What became of one attempt. */
export interface Taken {
  readonly allowed: boolean
  /** Attempts that would be allowed right now. */
  readonly remaining: number
  /** Until the next one is allowed, in milliseconds; 0 while some remain. */
  readonly waitMillis: number
}

/** What a subscriber hears. */
export type BoardNotification =
  /** The subscription stands (again): anything published before was missed, so read the key. */
  | { readonly _tag: "Subscribed" }
  /** The text that was published. */
  | { readonly _tag: "Published"; readonly json: string }

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
>()("scoreboard/services/Redis") {}
