import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { RankPage } from "../../domain/Ranks.ts"
import type { Board, UserId } from "../../domain/Score.ts"
import type { ExportCursor, ExportedEvent, FoundPlayer, Moderation } from "./SqlModeration.ts"
import type { RankPageRequest, StandingAnswer, StandingRequest } from "./SqlRanks.ts"
import type {
  HistoryPage,
  HistoryRequest,
  IncrementRequest,
  IncrementRow,
  OutboxRow,
} from "./SqlStatements.ts"

export type {
  ExportCursor,
  ExportedEvent,
  FoundPlayer,
  Moderation,
  IncrementRequest,
  IncrementRow,
  OutboxRow,
}

/** PostgreSQL refused, or did not answer in time. `cause` is for the log, never for a client. */
export class SqlFailure extends Schema.TaggedError<SqlFailure>()("SqlFailure", {
  operation: Schema.Literals([
    "migrate",
    "increment",
    "top",
    "register",
    "history",
    "standing",
    "page",
    "verifyLevels",
    "repairLevels",
    "generate",
    "revoke",
    "pruneRevoked",
    "moderate",
    "export",
    "leaseOutbox",
    "deleteOutbox",
    "pruneKeys",
    "ping",
  ]),
  cause: Schema.Defect(),
  /** Present when the server said that it undid the statement, and why: see `RolledBack`. */
  rolledBack: Schema.optionalKey(Schema.Literals(["data", "deadlock"])),
}) {}

export class Sql extends Context.Service<
  Sql,
  {
    /**
     * Commits a batch in one statement: all of it or, when it fails, none of it or (connection lost, no answer
     * in time) unknown. One row per request, in order. A failure without `rolledBack` must not be retried: only the
     * client's `Idempotency-Key` makes a repeat safe. `limitMillis` is for callers who cannot wait for the time
     * limit of a call.
     */
    increment(
      batch: ReadonlyArray<IncrementRequest>,
      limitMillis?: number,
    ): Effect.Effect<ReadonlyArray<IncrementRow>, SqlFailure>

    /** The best `limit` scores with the stamp of the same snapshot, in board order. */
    top(limit: number): Effect.Effect<Board, SqlFailure>

    /** Stores a player's e-mail, or the new one; the score stays. Idempotent. */
    register(userId: UserId, email: string): Effect.Effect<void, SqlFailure>

    /**
     * Takes up to `limit` commits whose messages were not sent in time, oldest first. They belong to the caller
     * for `leaseSeconds`, then they are offered again: a crash in between loses nothing and may send twice.
     */
    leaseOutbox(options: {
      readonly leaseSeconds: number
      readonly limit: number
    }): Effect.Effect<ReadonlyArray<OutboxRow>, SqlFailure>

    /** Forgets commits whose messages were all sent. Idempotent. */
    deleteOutbox(ids: ReadonlyArray<string>): Effect.Effect<void, SqlFailure>

    /** Forgets up to `limit` idempotency keys that are older than 24 hours, and gives their number. */
    pruneKeys(limit: number): Effect.Effect<number, SqlFailure>

    /** One page of a player's history, newest first; `revoked` when the token it is asked with was logged out. */
    history(request: HistoryRequest): Effect.Effect<HistoryPage, SqlFailure>

    /** A player's exact rank and neighbours; `revoked` when the token it is asked with was logged out. */
    standing(request: StandingRequest): Effect.Effect<StandingAnswer, SqlFailure>

    /** One page of the whole board, with ranks. `after` is a `PageCursor`. */
    page(request: RankPageRequest): Effect.Effect<RankPage, SqlFailure>
    /** Refuses every token of this id (`Caller.tokenId`) until the given second since 1970. Idempotent. */
    revoke(token: {
      readonly tokenId: string
      readonly expiresAtSeconds: number
    }): Effect.Effect<void, SqlFailure>

    /** Forgets up to `limit` revocations of tokens that expired; gives how many. Several may run at once. */
    pruneRevoked(limit: number): Effect.Effect<number, SqlFailure>

    /** The players of this id or exactly this e-mail, at most 20. Reads the whole table: for operators. */
    findPlayers(query: string): Effect.Effect<ReadonlyArray<FoundPlayer>, SqlFailure>

    /**
     * Takes a player off the board and refuses their increments, or ends that; with a history row. Gives the score;
     * undefined, and no row, when it is so already.
     */
    setHidden(hidden: boolean, moderation: Moderation): Effect.Effect<number | undefined, SqlFailure>

    /**
     * Adds to a score, or takes from it; with a history row. Gives the new score; undefined, and no row, when it would
     * be below 0. Not idempotent.
     */
    correct(amount: number, moderation: Moderation): Effect.Effect<number | undefined, SqlFailure>

    /** Up to `limit` rows of the history of one player, or of all: by player, then oldest first, after a row. */
    exportHistory(options: {
      readonly userId: UserId | undefined
      readonly after: ExportCursor | undefined
      readonly limit: number
    }): Effect.Effect<ReadonlyArray<ExportedEvent>, SqlFailure>

    /** Succeeds when PostgreSQL answers. */
    readonly ping: Effect.Effect<void, SqlFailure>
  }
>()("scoreboard/services/Sql") {}
