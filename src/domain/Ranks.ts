import * as Schema from "effect/Schema"
import { BOARD_SIZE, BoardStamp, Count, Score } from "./Score.ts"

/** How many players `GET /scores/me` shows on either side. From the contract. */
export const NEIGHBOURS = 5

/** The most players of one `GET /scores/page`. From the contract. */
export const RANK_PAGE = 100

/**
 * Competition rank (1, 2, 2, 4): one more than the number of visible players with a higher score. Players of one
 * score share it, whatever their order on the board.
 */
const Rank = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }))

/** One place of the whole board, as on the top ten, with its rank. */
export const RankedScore = Schema.Struct({ rank: Rank, ...Score.fields })
export type RankedScore = typeof RankedScore.Type

const Neighbours = Schema.Array(RankedScore).check(Schema.isMaxLength(NEIGHBOURS))

/** Where one player stands; every part is of one snapshot of the truth. */
export const Standing = Schema.Struct({
  /** Null for who has no score, or is hidden from the board. A score of 0 ranks behind all `players`. */
  rank: Schema.NullOr(Rank),
  /**
   * The row of the top ten that shows this player, 1 to 10; null if none does. It is certain only for the board with the
   * same `epoch` and `version`. Equal scores have different places, but share a rank.
   */
  place: Schema.NullOr(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: BOARD_SIZE }))),
  /** The stamp of the board in the same snapshot: `epoch` is its lifetime, `version` its state. */
  epoch: BoardStamp.fields.epoch,
  version: BoardStamp.fields.version,
  /** The player's own, also while hidden; 0 without one. */
  score: Count,
  /** Visible players with at least one point. */
  players: Count,
  /** "Top x %": see `percentileOf`. Null exactly when `rank` is. */
  percentile: Schema.NullOr(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 100 }))),
  /** The players directly before this one in board order, best first: `above`, this one, `below` is one stretch. */
  above: Neighbours,
  /** Directly after, best first. */
  below: Neighbours,
})
export type Standing = typeof Standing.Type

/**
 * 100 × rank ÷ players, at most 100 and not rounded: the share of the players who are at this rank or better, when
 * nobody shares it. To show "top x %", round up, so that it never flatters.
 */
export const percentileOf = (rank: number, players: number): number =>
  players === 0 ? 100 : Math.min(100, (100 * rank) / players)

/**
 * A place between two players in board order, opaque to clients, who get it as `next`: score, the event that
 * reached it, and how many of equal score and event came before it. No part of it says who the player is.
 */
export const PageCursor = Schema.String.check(
  Schema.isPattern(/^(?:0|[1-9][0-9]{0,15})\.-?(?:0|[1-9][0-9]{0,17})\.(?:0|[1-9][0-9]{0,6})$/),
)

/** A stretch of the board in board order, and `after` of the next one; null at the end. */
export const RankPage = Schema.Struct({
  scores: Schema.Array(RankedScore).check(Schema.isMaxLength(RANK_PAGE)),
  next: Schema.NullOr(PageCursor),
})
export type RankPage = typeof RankPage.Type

/**
 * The rank of each row of an unbroken stretch in board order, from two look-ups whatever its length: how many
 * players are ahead of its first score, and how many ahead of its second. Everyone of the second score is in the
 * stretch, or it ends there; so every later rank follows by counting rows.
 */
export const ranksOf = (
  stretch: ReadonlyArray<{ readonly score: number }>,
  aheadOfFirst: number,
  aheadOfSecond: number,
): ReadonlyArray<number> => {
  const ranks: Array<number> = []
  let second: number | undefined
  for (const [at, { score }] of stretch.entries()) {
    const before = ranks.at(-1)
    if (before === undefined) ranks.push(aheadOfFirst + 1)
    else if (stretch[at - 1]?.score === score) ranks.push(before)
    else {
      second ??= at
      ranks.push(aheadOfSecond + 1 + at - second)
    }
  }
  return ranks
}
