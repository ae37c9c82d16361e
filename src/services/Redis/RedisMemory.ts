import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { versionsAhead } from "../../domain/NewerBoard.ts"
import { BOARD_TTL_SECONDS } from "../../domain/BoardCache.ts"
import { BoardStamp } from "../../domain/Score.ts"
import { makeBuckets } from "./RedisBucket.ts"
import { type BoardWrite, type BoardWriteOutcome, Redis } from "./Redis.ts"
import { makeRedisFanout } from "./RedisFanout.ts"

/** The state of one Redis: the text under the board's key and when it expires, in milliseconds since 1970. */
export interface RedisMemoryStore {
  board: { readonly text: string; readonly expiresAt: number } | undefined
}

/** The part of a stored value that decides what a write does. As in the script, `scores` may be any object or list. */
const StampedValue = Schema.fromJsonString(
  Schema.Struct({
    scores: Schema.ObjectKeyword,
    epoch: BoardStamp.fields.epoch,
    version: BoardStamp.fields.version,
  }),
)
const decodeStamped = Schema.decodeUnknownOption(StampedValue)

/** Buckets that are stored: some 2 MB. */
const MEMORY_BUCKETS = 10_000

/** Redis in this process: the same rules, on Effect's clock. Never fails. */
export const makeRedisMemory = (store: RedisMemoryStore): Redis["Service"] => {
  const fanout = makeRedisFanout()
  const takeNow = makeBuckets(MEMORY_BUCKETS)
  fanout.subscribed()

  const text = (now: number) =>
    store.board !== undefined && now < store.board.expiresAt ? store.board.text : undefined

  const outcome = (board: BoardWrite, there: string | undefined): BoardWriteOutcome => {
    const ahead = versionsAhead(board, Option.getOrUndefined(decodeStamped(there)))
    if (ahead === 0) return "renewed"
    return ahead === undefined || ahead > 0 ? "written" : "older"
  }

  return {
    readBoard: Effect.map(Clock.currentTimeMillis, (now) => Option.fromUndefinedOr(text(now))),
    writeBoard: (board) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const there = text(now)
        const result = outcome(board, there)
        const expiresAt = now + BOARD_TTL_SECONDS * 1_000
        if (result === "renewed" && there !== undefined) store.board = { text: there, expiresAt }
        if (result === "written") {
          store.board = { text: board.json, expiresAt }
          fanout.published(board.json)
        }
        return result
      }),
    renewBoard: Effect.map(Clock.currentTimeMillis, (now) => {
      const there = text(now)
      if (there !== undefined) store.board = { text: there, expiresAt: now + BOARD_TTL_SECONDS * 1_000 }
    }),
    notifications: fanout.notifications,
    take: (bucket) => Effect.map(Clock.monotonicTimeNanos, (nanos) => takeNow(bucket, Number(nanos / 1000n))),
    ping: Effect.void,
  }
}

/** Redis in this process, for a system of one process and for tests. */
export const layer = Layer.sync(Redis, () => makeRedisMemory({ board: undefined }))
