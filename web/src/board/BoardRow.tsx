import { EmailAddress } from "../EmailAddress.tsx"
import { formatCount } from "../format.ts"
import { RollingCount } from "./RollingCount.tsx"

interface BoardRowProps {
  /** Identifies the player in this place, and stays the same when the player moves. */
  readonly id: string
  /** 1 is the best. */
  readonly rank: number
  readonly email: string
  readonly score: number
  /** The player's score on the previous board; undefined if the player was not on it. */
  readonly scoreBefore: number | undefined
  /** The score divided by the best score, 0 to 1. */
  readonly share: number
  readonly isOwn: boolean
}

export const BoardRow = ({ id, rank, email, score, scoreBefore, share, isOwn }: BoardRowProps) => (
  <li class="row" data-row={id} data-rank={rank} data-own={isOwn} aria-current={isOwn ? "true" : undefined}>
    <span class="share" style={{ transform: `scaleX(${share})` }} aria-hidden="true" />
    <span class="rank">
      <span class="visually-hidden">Rank </span>
      {rank}
    </span>
    <span class="player">
      <EmailAddress key={id} email={email} />
      {isOwn && <span class="you">You</span>}
    </span>
    <span class="score" style={{ "--length": formatCount(score).length }}>
      <span class="visually-hidden">Score </span>
      <RollingCount key={id} value={score} from={scoreBefore} />
    </span>
  </li>
)

/** A place without a player, also while the first board is still loading. */
export const OpenPlace = ({ rank, isLoading }: { readonly rank: number; readonly isLoading: boolean }) => (
  <li class="row open" data-rank={rank} data-loading={isLoading} aria-hidden="true">
    <span class="rank">{rank}</span>
    <span class="line" />
  </li>
)
