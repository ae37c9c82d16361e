import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { UserId } from "../../domain/Score.ts"
import type { SqlFailure } from "./Sql.ts"

/** A player whom an operator asked for. */
export interface FoundPlayer {
  readonly id: UserId
  readonly email: string
  /** 0 for a player without a score. */
  readonly score: number
  readonly hidden: boolean
}

/** What an operator does to a player leaves a history row with these. */
export interface Moderation {
  readonly userId: UserId
  /** The operator's name. */
  readonly actor: string
  readonly reason: string
}

/** One row of the history with everything that is known about it. */
export interface ExportedEvent {
  readonly userId: string
  readonly id: string
  /** ISO 8601, UTC, to the millisecond. */
  readonly at: string
  readonly kind: string
  readonly amount: number
  /** The player's score after this event. */
  readonly score: number
  readonly key: string | null
  readonly reason: string | null
  readonly actor: string | null
}

/** An export continues after this row. */
export type ExportCursor = Pick<ExportedEvent, "userId" | "id">

/** Which part of the history an operator reads. */
export interface ExportRequest {
  /** Whose history; undefined = everybody's. */
  readonly userId: UserId | undefined
  /** Only rows after this one; undefined = from the first. */
  readonly after: ExportCursor | undefined
  readonly limit: number
}

/** What an operator may do to players and scores. Only the admin command has it: no API process can change a score. */
export class SqlModeration extends Context.Service<
  SqlModeration,
  {
    /**
     * The player with this id. If there is none, the players with exactly this e-mail; then those with it in lower case;
     * then those with it in any case: at most 20. Reads only indexes, except for the last: that reads every player,
     * about 3 s for ten million.
     */
    findPlayers(query: string): Effect.Effect<ReadonlyArray<FoundPlayer>, SqlFailure>

    /**
     * Takes a player off the board and refuses their increments, or ends that; adds a history row. Gives the score, or
     * undefined, without a history row, when nothing had to change. Idempotent.
     */
    setHidden(hidden: boolean, moderation: Moderation): Effect.Effect<number | undefined, SqlFailure>

    /**
     * Adds `amount`, which may be negative, to a score; adds a history row. Gives the new score, or undefined, and
     * changes nothing, when the score would fall below 0. Not idempotent.
     */
    correct(amount: number, moderation: Moderation): Effect.Effect<number | undefined, SqlFailure>

    /**
     * Refuses every token of the player's sign-ins until now, refresh tokens included; adds a history row. Gives that
     * moment in ISO 8601, UTC. May be repeated: the later moment counts.
     */
    endSignIns(moderation: Moderation): Effect.Effect<string, SqlFailure>

    /** Up to `limit` rows of the history, by player and then oldest first. */
    exportHistory(request: ExportRequest): Effect.Effect<ReadonlyArray<ExportedEvent>, SqlFailure>
  }
>()("scoreboard/services/SqlModeration") {}
