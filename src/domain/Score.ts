import * as Schema from "effect/Schema"

/** How many places the board has. From the brief: "the top 10 users". */
export const BOARD_SIZE = 10

/** The identity provider's `sub`: opaque, and never shown to other users. */
export const UserId = Schema.NonEmptyString.pipe(Schema.brand("UserId"))
export type UserId = typeof UserId.Type

/** A count that JSON represents without loss: 0 to 2^53 - 1, never -0. */
export const Count = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))

/** How many points an event added to a score, which JSON represents without loss; below 0, it subtracted them. */
export const Amount = Schema.Int.check(
  Schema.isBetween({ minimum: -Number.MAX_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }),
)

/**
 * The highest score that a correction or an import may give: 254,740,991 increments more still fit into a `Count`. One
 * increment that did not fit would fail the whole batch of its commit.
 */
export const HIGHEST_SET_SCORE = 9_007_199_000_000_000

/**
 * The stored address of a player who was imported without a verified one, until a sign-in or an increment brings it. No
 * address is empty.
 */
export const NO_ADDRESS = ""

/** One place on the board: exactly the two fields of the public contract. `email` is data, so no pattern is checked. */
export const Score = Schema.Struct({
  email: Schema.String.annotate({
    description:
      "The player's e-mail address, masked where the operator has chosen so; … while the player has no verified one.",
    examples: ["user@example.com"],
  }),
  score: Count.annotate({ description: "The player's points: one per counted increment." }),
}).annotate({ identifier: "Score", description: "One place on the board." })
export type Score = typeof Score.Type

/**
 * Best scores, highest first; equal scores in the order in which they were reached, then by user id.
 * At most `BOARD_SIZE` entries.
 */
export const Scores = Schema.Array(Score).check(Schema.isMaxLength(BOARD_SIZE))
export type Scores = typeof Scores.Type

/** Which state of the database a board shows. */
export const BoardStamp = Schema.Struct({
  /** Random id of the data's lifetime: a restore or a rebuild of the database gets a new one. */
  epoch: Schema.NonEmptyString,
  /** Grows with every change of any score or name within one epoch; equal versions mean equal boards. */
  version: Count,
  /** When the newest change in this board was made, in milliseconds since 1970. */
  committedAt: Count,
})
export type BoardStamp = typeof BoardStamp.Type

/** A board as read from PostgreSQL: it always has a stamp. */
export interface Board extends BoardStamp {
  readonly scores: Scores
}
