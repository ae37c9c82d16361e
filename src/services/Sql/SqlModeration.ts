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

/** Points that an operator adds to a score. */
export interface Correction {
  /** Not 0; may be negative. */
  readonly amount: number
  /** The operator's own name for this correction, among all players; undefined = it counts every time. */
  readonly key: string | undefined
}

/** What became of a correction. Only the first has changed anything, now or, if `repeated`, before. */
export type CorrectionOutcome =
  /** `score` is the player's score after the correction, whatever came later. */
  | {
      readonly _tag: "Corrected"
      readonly eventId: string
      readonly score: number
      readonly repeated: boolean
    }
  /** The key belongs to another correction, which is described. */
  | {
      readonly _tag: "KeyTaken"
      readonly eventId: string
      readonly userId: UserId
      readonly amount: number
    }
  /** The score would fall below 0 or rise above `HIGHEST_SET_SCORE`. */
  | { readonly _tag: "OutOfRange" }

/** What became of taking a correction back. Only the first has changed anything. */
export type UndoOutcome =
  /** `amount` is what was added to the score to take the correction back. */
  | {
      readonly _tag: "Undone"
      readonly eventId: string
      readonly amount: number
      readonly score: number
    }
  /** The player has no such event (undefined), or it is of this kind. */
  | { readonly _tag: "NotACorrection"; readonly kind: string | undefined }
  /** By this event. */
  | { readonly _tag: "UndoneAlready"; readonly eventId: string }
  /** The score would fall below 0 or rise above `HIGHEST_SET_SCORE`. */
  | { readonly _tag: "OutOfRange" }

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
  /** The event that this one took back. */
  readonly undoes: string | null
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

    /** Adds an amount to a score; adds a history row. Idempotent only under a key, and then for ever. */
    correct(correction: Correction, moderation: Moderation): Effect.Effect<CorrectionOutcome, SqlFailure>

    /**
     * Takes the correction `eventId` of the player back; adds a history row. The player then stands where they would if
     * the correction had never been made: among equal scores, the last of the other events that changed the score decides.
     * A correction can be undone once, and an undoing cannot be undone.
     */
    undo(eventId: string, moderation: Moderation): Effect.Effect<UndoOutcome, SqlFailure>

    /**
     * Refuses every token of the player's sign-ins until now, refresh tokens included; adds a history row. Gives that
     * moment in ISO 8601, UTC. May be repeated: the later moment counts.
     */
    endSignIns(moderation: Moderation): Effect.Effect<string, SqlFailure>

    /** Up to `limit` rows of the history, by player and then oldest first. */
    exportHistory(request: ExportRequest): Effect.Effect<ReadonlyArray<ExportedEvent>, SqlFailure>
  }
>()("scoreboard/services/SqlModeration") {}
