import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { maskEmail } from "../../domain/EmailMask.ts"
import { type BoardUpdate, BoardUpdateJson } from "../../domain/Messages.ts"
import { versionsAhead } from "../../domain/NewerBoard.ts"
import type { Board, Score, Scores } from "../../domain/Score.ts"
import { monotonicMillis } from "../../foundation/MonotonicTime.ts"
import { RedisBoard } from "../../services/Redis/RedisBoard.ts"
import type { SqlFailure } from "../../services/Sql/Sql.ts"
import { SqlInspection } from "../../services/Sql/SqlInspection.ts"

/**
 * How long Redis may be behind before that counts as a difference, in milliseconds. A worker looks every second; one
 * that lost a dependency tries again for up to 20 s.
 */
const PATIENCE_MILLIS = 25_000

/** How long Redis may fail before it is given up, in milliseconds: it reconnects within half a second. */
const UNANSWERED_MILLIS = 5_000

/** Between two looks at boards with versions. A busy board has a version for some milliseconds. */
const PAUSE = "2 millis"

/** Between two looks while there is nothing to compare: Redis does not answer, or has no board of this epoch. */
const LONG_PAUSE = "100 millis"

/** The boards of each side that are remembered: those of about a second. */
const REMEMBERED = 1_000

/** What became of the comparison. `looked` and `first` have no address in full. */
export interface BoardResult {
  readonly outcome: "ok" | "different" | "unknown"
  readonly looked: Readonly<Record<string, number>>
  readonly first?: Readonly<Record<string, unknown>>
  readonly reason?: string
}

const decodeUpdate = Schema.decodeUnknownOption(BoardUpdateJson)

/** The newest boards of one side by version. */
class Seen {
  private readonly byVersion = new Map<number, Scores>()
  add(version: number, scores: Scores) {
    this.byVersion.set(version, scores)
    const [oldest] = this.byVersion.keys()
    if (this.byVersion.size > REMEMBERED && oldest !== undefined) this.byVersion.delete(oldest)
  }
  get(version: number) {
    return this.byVersion.get(version)
  }
}

const masked = (score: Score | undefined) =>
  score === undefined ? null : { email: maskEmail(score.email), score: score.score }

/** The first place at which two boards of one version differ; undefined if they are equal. */
const firstDifference = (postgresql: Scores, redis: Scores) => {
  for (let at = 0; at < Math.max(postgresql.length, redis.length); at++) {
    const [ours, theirs] = [postgresql[at], redis[at]]
    if (ours?.email !== theirs?.email || ours?.score !== theirs?.score) {
      return { place: at + 1, postgresql: masked(ours), redis: masked(theirs) }
    }
  }
  return undefined
}

const atVersion = (version: number, postgresql: Scores, redis: Scores): BoardResult => {
  const looked = { version, places: postgresql.length }
  const first = firstDifference(postgresql, redis)
  return first === undefined
    ? { outcome: "ok", looked }
    : { outcome: "different", looked, first: { problem: "scores", version, ...first } }
}

/** One look at both sides: Redis first, so that its board is not newer than PostgreSQL's. */
interface Look {
  readonly board: Board
  readonly redis: { readonly text: Option.Option<string> } | { readonly failure: string }
}

/** What the board in Redis is, if it cannot be compared by version: undefined if it can. */
const unversioned = (text: Option.Option<string>, epoch: string) => {
  if (Option.isNone(text)) return { problem: "missing" } as const
  const update = decodeUpdate(text.value)
  if (Option.isNone(update)) return { problem: "malformed" } as const
  const { epoch: theirs, version } = update.value
  if (theirs === undefined || version === undefined) return { problem: "without a version" } as const
  return theirs === epoch
    ? undefined
    : ({ problem: "another epoch", postgresql: epoch, redis: theirs } as const)
}

/** Compares the looks of one run. The boards it has seen are those of one epoch. */
class Comparison {
  private epoch: string | undefined
  private stored = new Seen()
  private shown = new Seen()
  /** The version that PostgreSQL had at the first look. */
  private startedAt = 0

  private seenOf(board: Board) {
    if (this.epoch === board.epoch) return
    this.epoch = board.epoch
    this.stored = new Seen()
    this.shown = new Seen()
    this.startedAt = board.version
  }

  /** The result, if this look settles it: both sides were seen with the same version. */
  add(board: Board, text: Option.Option<string>): BoardResult | undefined {
    this.seenOf(board)
    this.stored.add(board.version, board.scores)
    const update =
      unversioned(text, board.epoch) === undefined ? decodeUpdate(Option.getOrThrow(text)) : Option.none()
    if (Option.isSome(update) && update.value.version !== undefined) {
      this.shown.add(update.value.version, update.value.scores)
      const same = this.stored.get(update.value.version)
      if (same !== undefined) return atVersion(update.value.version, same, update.value.scores)
    }
    const same = this.shown.get(board.version)
    return same === undefined ? undefined : atVersion(board.version, board.scores, same)
  }

  /** What the last look means when patience is over. */
  settle({ board, redis }: Look): BoardResult {
    const looked = { version: board.version, places: board.scores.length }
    if ("failure" in redis) return { outcome: "unknown", looked: {}, reason: `Redis: ${redis.failure}` }
    const odd = unversioned(redis.text, board.epoch)
    if (odd !== undefined) return { outcome: "different", looked, first: odd }
    const update: BoardUpdate = Option.getOrThrow(decodeUpdate(Option.getOrThrow(redis.text)))
    const ahead = versionsAhead(update, board) ?? 0
    const versions = { postgresql: board.version, redis: update.version }
    if (ahead > 0) return { outcome: "different", looked, first: { problem: "ahead", ...versions } }
    if ((update.version ?? 0) < this.startedAt) {
      return { outcome: "different", looked, first: { problem: "old", ...versions } }
    }
    return { outcome: "unknown", looked, reason: "boards changed faster than both sides could be read" }
  }
}

/** The innermost cause's own words. */
const wordsOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

/**
 * Compares the board in Redis with PostgreSQL's while both move. Boards of one epoch and version are equal, so it looks
 * at both sides until it has seen one version on both, and compares these. What keeps it from that has to last for 25 s
 * to count as a difference: a board that is missing, unreadable, older than PostgreSQL's was at the start, newer than
 * PostgreSQL's, without a version or of another epoch.
 */
export const compareBoards: Effect.Effect<BoardResult, SqlFailure, SqlInspection | RedisBoard> = Effect.gen(
  function* () {
    const sql = yield* SqlInspection
    const redis = yield* RedisBoard
    const comparison = new Comparison()
    const began = yield* monotonicMillis
    let answeredAt = began
    for (;;) {
      const read = yield* Effect.result(redis.read)
      const board = yield* sql.board
      const now = yield* monotonicMillis
      const look: Look = {
        board,
        redis: read._tag === "Success" ? { text: read.success } : { failure: wordsOf(read.failure.cause) },
      }
      if (read._tag === "Success") {
        answeredAt = now
        const settled = comparison.add(board, read.success)
        if (settled !== undefined) return settled
      }
      if (now - began >= PATIENCE_MILLIS || now - answeredAt >= UNANSWERED_MILLIS)
        return comparison.settle(look)
      const isComparable = read._tag === "Success" && unversioned(read.success, board.epoch) === undefined
      yield* Effect.sleep(isComparable ? PAUSE : LONG_PAUSE)
    }
  },
)
