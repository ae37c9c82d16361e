import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { RankPage, Standing } from "../../domain/Ranks.ts"
import type { Board, UserId } from "../../domain/Score.ts"

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
    "retireLevels",
    "generate",
    "import",
    "revoke",
    "refuses",
    "pruneRevoked",
    "moderate",
    "export",
    "inspect",
    "leaseOutbox",
    "deleteOutbox",
    "pruneKeys",
    "oldestSnapshot",
    "ping",
  ]),
  cause: Schema.Defect(),
  /**
   * Present when the server said that it rolled the statement back: `data` = a value in it can never be stored,
   * `deadlock` = the statement was chosen as the victim of a deadlock and may well succeed another time, `serialization` =
   * the same of a statement under a stricter isolation than ours, `lock` = another transaction locked a row for longer
   * than the statement may wait.
   */
  rolledBack: Schema.optionalKey(Schema.Literals(["data", "deadlock", "serialization", "lock"])),
  /** Present on a failed start when another variable than `DATABASE_URL` says where the database is. */
  variable: Schema.optionalKey(Schema.Literal("DATABASE_HOST")),
}) {}

/**
 * How many reads of a kind a process makes at the same time; more of them wait. `player` = what signed-in players read of
 * themselves (0.3 ms each), and the upkeep: one slow read leaves the other free. `page` = pages of ranks, which anybody
 * may read without a token: as many as cores that one process may keep busy with them.
 */
export const READS_AT_ONCE = { player: 2, page: 2 } as const

/** The access token of a request, as far as it decides whether the token was ended. */
export interface SignIn {
  readonly userId: UserId
  /** `Caller.tokenId`, by which a logout refuses it. */
  readonly tokenId: string | undefined
  /** `Caller.signedInAtSeconds`, by which the end of all sign-ins of the player refuses it; absent = long ago. */
  readonly signedInAtSeconds?: number | undefined
}

/** One request to raise a score by one. */
export interface IncrementRequest extends SignIn {
  /** The player's e-mail when the caller knows it. A player who is already stored keeps the stored one. */
  readonly email: string | undefined
  /** `Idempotency-Key`: visible ASCII, at most 255 characters. Without one, every request counts. */
  readonly key: string | undefined
}

/** What became of one request. Only `Counted` changed anything. */
export type IncrementOutcome =
  /** The score was raised: the event's id, the stored e-mail, and the player's score after this event. */
  | { readonly _tag: "Counted"; readonly eventId: string; readonly email: string; readonly score: number }
  /** The player's key was counted before, or by an earlier request of the same batch. */
  | { readonly _tag: "Duplicate" }
  /** The player is not stored, and the request brought no e-mail to store. */
  | { readonly _tag: "UnknownPlayer" }
  /** A moderator took the player off the board. */
  | { readonly _tag: "Hidden" }
  /** The score is 2^53 - 1, the largest that JSON represents without loss. */
  | { readonly _tag: "Full" }
  /** The access token was logged out, or an operator ended all sign-ins of the player. */
  | { readonly _tag: "Revoked" }

/** What became of a batch. */
export interface IncrementAnswer {
  /** One per request, in the order of the requests. */
  readonly outcomes: ReadonlyArray<IncrementOutcome>
  /** The one outbox row that holds the messages of everything counted; undefined when nothing was. */
  readonly outboxId: string | undefined
}

/** One commit whose messages are still to be sent. */
export interface OutboxCommit {
  readonly id: string
  /** Milliseconds since 1970. */
  readonly committedAt: number
  readonly messages: ReadonlyArray<{ readonly id: string; readonly userId: UserId; readonly email: string }>
}

/** How many commits to lease at most, and for how long. */
export interface LeaseRequest {
  readonly leaseSeconds: number
  readonly limit: number
}

/** Which part of whose history, and the access token that asks for it. */
export interface HistoryRequest extends SignIn {
  /** Only entries older than this event; undefined = from the newest. */
  readonly after: string | undefined
  readonly limit: number
}

/** Part of a player's history, newest first, and the player's score in the same snapshot. */
export interface HistoryPage {
  /** Whether the access token was ended. */
  readonly revoked: boolean
  /** 0 for a player without a score. */
  readonly score: number
  readonly entries: ReadonlyArray<{
    readonly id: string
    /** ISO 8601, UTC, to the millisecond. */
    readonly at: string
    readonly amount: number
    /** The player's score after this entry. */
    readonly score: number
  }>
}

/** Whose place on the board, by the access token that asks for it. */
export type StandingRequest = SignIn

/** A player's place; `revoked` when the access token was ended. */
export interface StandingAnswer extends Standing {
  readonly revoked: boolean
}

/** Which part of the board: up to `limit` players after the cursor; undefined = from the top. */
export interface RankPageRequest {
  /** A `PageCursor`. */
  readonly after: string | undefined
  readonly limit: number
}

/** An access token that is refused from now on. */
export interface Revocation {
  /** `Caller.tokenId`. */
  readonly tokenId: string
  /** Until when, in seconds since 1970: at least until the token expires. */
  readonly expiresAtSeconds: number
}

/** What the API and the worker ask of PostgreSQL. Every call fails within 2.5 s of an unresponsive server. */
export class Sql extends Context.Service<
  Sql,
  {
    /**
     * Commits a batch in one statement: all of it or, when it fails, none of it or (connection lost, no answer in
     * time) unknown. Never repeat a batch after a failure without `rolledBack`: only the client's `Idempotency-Key`
     * makes a repeat safe. A row that another transaction locks is waited for for half a second.
     */
    increment(batch: ReadonlyArray<IncrementRequest>): Effect.Effect<IncrementAnswer, SqlFailure>

    /**
     * The same for requests that may need a locked row: on a connection of its own, and a locked row is waited for for
     * only 25 ms.
     */
    incrementAside(batch: ReadonlyArray<IncrementRequest>): Effect.Effect<IncrementAnswer, SqlFailure>

    /** The best `limit` scores with the stamp of the same snapshot, in board order. */
    top(limit: number): Effect.Effect<Board, SqlFailure>

    /** Stores a player's e-mail, or replaces the stored one; the score stays as it is. Idempotent. */
    register(userId: UserId, email: string): Effect.Effect<void, SqlFailure>

    /**
     * Leases up to `limit` commits whose messages were not sent in time, oldest first. After `leaseSeconds` they are
     * offered again, to anyone: delivery is at least once, because a crash after sending sends twice.
     */
    leaseOutbox(request: LeaseRequest): Effect.Effect<ReadonlyArray<OutboxCommit>, SqlFailure>

    /** Deletes commits whose messages were all sent. Idempotent. */
    deleteOutbox(ids: ReadonlyArray<string>): Effect.Effect<void, SqlFailure>

    /** Part of one player's history. */
    history(request: HistoryRequest): Effect.Effect<HistoryPage, SqlFailure>

    /** One player's exact rank and neighbours, from one snapshot. */
    standing(request: StandingRequest): Effect.Effect<StandingAnswer, SqlFailure>

    /** Part of the whole board with ranks, from one snapshot. */
    page(request: RankPageRequest): Effect.Effect<RankPage, SqlFailure>

    /**
     * Refuses every token of this id from now on. Idempotent; of two times the later one counts. Gives whether the id was
     * refused before.
     */
    revoke(revocation: Revocation): Effect.Effect<boolean, SqlFailure>

    /** Whether the access token was ended: what every other call of this service checks for itself. */
    refuses(token: SignIn): Effect.Effect<boolean, SqlFailure>

    /** Succeeds when PostgreSQL takes writes. */
    readonly ping: Effect.Effect<void, SqlFailure>
  }
>()("scoreboard/services/Sql") {}
