import type { Rank } from "../../../src/client/StandingRequest.ts"
import { formatCrowd, formatOrdinal, formatPercentile } from "../format.ts"

/** In the lower half, "top 73 %" would not encourage anybody. */
const WORTH_TELLING = 50

/**
 * The rank of a player with this score, in words: "4,213th of 1.2 million, top 0.4%". For a player on the board, its
 * place (1 to 10) is used instead of the rank, which players with equal scores share, so that the text agrees with the
 * board beside it.
 */
export const describePlace = (place: number | undefined, rank: Rank | undefined, score: number): string => {
  if (rank === undefined) {
    if (place !== undefined) return `${formatOrdinal(place)} place`
    return score === 0 ? "Not on the board yet" : "Outside the top 10"
  }
  const crowd = `${formatOrdinal(place ?? rank.rank)} of ${formatCrowd(rank.players)}`
  return place === undefined && rank.percentile <= WORTH_TELLING
    ? `${crowd}, top ${formatPercentile(rank.percentile)}`
    : crowd
}
