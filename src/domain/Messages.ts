import * as Schema from "effect/Schema"
import { maskEmail } from "./EmailMask.ts"
import { BoardStamp, NO_ADDRESS, Scores, type UserId } from "./Score.ts"

/** The `type` of the only message this system acts on. */
export const INCREMENT_TYPE = "score.increment"

/** The message that an increment puts on the queue: exactly these fields, in this order. */
export interface IncrementMessage {
  readonly userId: UserId
  readonly email: string
}

/** The body of one SQS message, byte for byte as in the brief. */
export const encodeIncrement = (message: IncrementMessage): string =>
  JSON.stringify({ userId: message.userId, email: message.email, type: INCREMENT_TYPE })

/**
 * The part of a queue message that decides what happens to it. Only `type` is read: boards are selected from
 * PostgreSQL, so nothing else in a message can change one.
 */
export const QueueMessage = Schema.fromJsonString(Schema.Struct({ type: Schema.String }))

/**
 * A board as Redis stores and publishes it: `scores` as in the brief, and the stamp beside it. A value without the
 * stamp was written by another tool; it is valid and is shown. `NewerBoard.ts` says which of two boards is later.
 */
export const BoardUpdate = Schema.Struct({
  scores: Scores,
  epoch: Schema.optionalKey(BoardStamp.fields.epoch),
  version: Schema.optionalKey(BoardStamp.fields.version),
  committedAt: Schema.optionalKey(BoardStamp.fields.committedAt),
  /** When it was offered to Redis, in milliseconds since 1970, by the clock of the process that did. For metrics only. */
  publishedAt: Schema.optionalKey(BoardStamp.fields.committedAt),
})
export type BoardUpdate = typeof BoardUpdate.Type

/** `BoardUpdate` from and to JSON text. */
export const BoardUpdateJson = Schema.fromJsonString(BoardUpdate)

/** A board as the public sees it, over HTTP and on the socket: `{"scores":[…]}` and nothing else. */
export const PublicBoard = Schema.Struct({ scores: Scores })
export type PublicBoard = typeof PublicBoard.Type

/** Whether the public sees e-mail addresses in full or masked. */
export type BoardEmail = "full" | "masked"

const NO_ADDRESS_SHOWN = maskEmail(NO_ADDRESS)

/** Scores as the public sees them. Without an address, a player is shown as one of whom everything is masked. */
export const publicScores = <Scored extends { readonly email: string }>(
  scores: ReadonlyArray<Scored>,
  boardEmail: BoardEmail,
): ReadonlyArray<Scored> => {
  if (boardEmail === "masked") return scores.map((score) => ({ ...score, email: maskEmail(score.email) }))
  return scores.some(({ email }) => email === NO_ADDRESS)
    ? scores.map((score) => (score.email === NO_ADDRESS ? { ...score, email: NO_ADDRESS_SHOWN } : score))
    : scores
}

/** The text of a board, the same for every viewer; its fields are in the order of the brief. */
export const encodePublicBoard = (scores: Scores, boardEmail: BoardEmail = "full"): string =>
  JSON.stringify({
    scores: publicScores(scores, boardEmail).map(({ email, score }) => ({ email, score })),
  })

/**
 * The text of a board for viewers that asked for its stamp: `epoch` and `version` after the scores. A board without a
 * stamp has the same text as for everybody.
 */
export const encodeStampedBoard = (update: BoardUpdate, boardEmail: BoardEmail = "full"): string => {
  const board = encodePublicBoard(update.scores, boardEmail)
  if (update.epoch === undefined || update.version === undefined) return board
  return `${board.slice(0, -1)},"epoch":${JSON.stringify(update.epoch)},"version":${update.version}}`
}
