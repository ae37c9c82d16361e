import * as Schema from "effect/Schema"
import { BOARD_SIZE, BoardStamp, Count, Score } from "./Score.ts"

/** The most players that `GET /scores/me` shows on either side of the caller. From the contract. */
export const NEIGHBOURS = 5

/** The most players on one page of `GET /scores/page`. From the contract. */
export const RANK_PAGE = 100

/**
 * Competition rank (1, 2, 2, 4): one more than the number of visible players with a higher score. Players with equal
 * scores share a rank, whatever their order on the board.
 */
const Rank = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }))

/** One place of the whole board: as on the top ten, and its rank. */
export const RankedScore = Schema.Struct({
  rank: Rank.annotate({ description: "One more than the number of visible players with a higher score." }),
  ...Score.fields,
}).annotate({ identifier: "RankedScore", description: "One place of the whole board." })
export type RankedScore = typeof RankedScore.Type

const Neighbours = Schema.Array(RankedScore).check(Schema.isMaxLength(NEIGHBOURS))

/** Where one player stands. All parts are from one snapshot of the database. */
export const Standing = Schema.Struct({
  rank: Schema.NullOr(Rank).annotate({
    description:
      "Null if the caller has no score or is hidden from the board. A score of 0 ranks behind all `players`.",
  }),
  place: Schema.NullOr(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: BOARD_SIZE }))).annotate({
    description:
      "The row of the top ten that shows the caller, or null. It is certain only for the board with the same `epoch` " +
      "and `version`. Equal scores share a rank, but have different places.",
  }),
  epoch: BoardStamp.fields.epoch.annotate({ description: "The epoch of the board in the same snapshot." }),
  version: BoardStamp.fields.version.annotate({
    description: "The version of the board in the same snapshot.",
  }),
  score: Count.annotate({ description: "The caller's score, also while hidden; 0 without one." }),
  players: Count.annotate({ description: "The number of visible players with at least one point." }),
  percentile: Schema.NullOr(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 100 }))).annotate({
    description:
      '100 × rank ÷ players, at most 100, not rounded: the x of "top x %". Null exactly when `rank` is null.',
  }),
  above: Neighbours.annotate({
    description: "Up to five players directly before the caller in board order, best first.",
  }),
  below: Neighbours.annotate({
    description: "Up to five players directly after the caller in board order, best first.",
  }),
}).annotate({ identifier: "Standing", description: "Where the caller stands among all visible players." })
export type Standing = typeof Standing.Type

/**
 * 100 × rank ÷ players, at most 100 and not rounded: the share of players at this rank or a better one, if nobody
 * shares the rank. Round up to show "top x %", so that the figure never flatters.
 */
export const percentileOf = (rank: number, players: number): number =>
  players === 0 ? 100 : Math.min(100, (100 * rank) / players)

/**
 * A place between two players in board order. Clients get it as `next` and treat it as opaque. Its parts are a score,
 * the event that reached it, and how many players with an equal score and event came before it. No part of it
 * identifies a player.
 */
export const PageCursor = Schema.String.check(
  Schema.isPattern(/^(?:0|[1-9][0-9]{0,15})\.-?(?:0|[1-9][0-9]{0,17})\.(?:0|[1-9][0-9]{0,6})$/u),
)

/** Consecutive places of the board in board order, and `after` of the next page: null at the end of the board. */
export const RankPage = Schema.Struct({
  scores: Schema.Array(RankedScore).check(Schema.isMaxLength(RANK_PAGE)).annotate({
    description: "In board order, best first.",
  }),
  next: Schema.NullOr(PageCursor).annotate({
    description: "Send it as `after` to get the next page. Null on the last page.",
  }),
}).annotate({ identifier: "RankPage", description: "One page of the whole board." })
export type RankPage = typeof RankPage.Type

/**
 * The rank of each row of a stretch of consecutive rows in board order. It needs two look-ups, whatever the length:
 * how many players are ahead of the stretch's first score, and how many ahead of its second. All players with the
 * second score are in the stretch, or the stretch ends among them; so counting rows gives every later rank.
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
