import type { Rank } from "../../../src/client/StandingRequest.ts"
import { formatCrowd, formatOrdinal, formatPercentile } from "../format.ts"

/** Below the middle, "top 73 %" is no comfort. */
const WORTH_TELLING = 50

/**
 * Where a player of this score stands: "4,213th of 1.2 million, top 0.4%". The place on the board (1 to 10), where
 * there is one, goes before the rank, which players of equal score share: it is what everyone sees beside it.
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
