import { useEffect, useRef } from "preact/hooks"
import type { BoardView } from "../../../src/client/ScoreboardClient.ts"
import type { Player, PlayerView } from "../../../src/client/Player.ts"
import { RollingCount } from "../board/RollingCount.tsx"
import { formatCount, formatWait } from "../format.ts"
import { useCountdown } from "../useNow.ts"
import { ChangingText } from "../ChangingText.tsx"
import { describePlace } from "./describePlace.ts"
import { useGoToOwnRow } from "./useGoToOwnRow.ts"

const ELSEWHERE = "Points come from the action itself."

/** Why the last failed press failed, and what that means for the score. */
const explain = ({ problem, mayHaveCounted }: PlayerView): string => {
  switch (problem?.kind) {
    case undefined:
      return ""
    case "limited":
      return mayHaveCounted
        ? "Too fast. Your last press may have counted."
        : "Too fast. That press was not counted."
    case "unavailable":
      return "Scoring is unavailable right now. Your last press may have counted."
    case "unanswered":
      return "No answer. Your last press may not have counted."
    case "refused":
      if (mayHaveCounted) return "The server rejected a retry. Your last press may have counted."
      if (problem.cause === "unverifiedEmail")
        return "Your e-mail address is not verified. Verify it to score points."
      if (problem.cause === "receiptRequired") return `Not counted. ${ELSEWHERE}`
      return problem.status === 403 ? "This account cannot score points." : "The server rejected that press."
  }
}

const progress = ({ pending, retrying, counted }: PlayerView, hasButton: boolean): string => {
  if (!hasButton) return ELSEWHERE
  if (retrying) return "No answer yet. Retrying; your press counts once."
  if (pending > 1) return `Sending ${formatCount(pending)} points…`
  if (counted === 0) return "Each press scores one point."
  return `${formatCount(counted)} ${counted === 1 ? "point" : "points"} since you signed in`
}

interface ActionPanelProps {
  readonly board: BoardView
  /** The player's row on the board: see `OwnPlace.at`. */
  readonly row: number | undefined
  readonly player: Player
  readonly view: PlayerView
  /** Whether the board counts a press of this page. */
  readonly canScore: boolean
}

/** A number of so many characters, 1,234,567,890, is still easy to read beside the button of a narrow screen. */
const BESIDE_BUTTON = 13

/** The player's own score and rank, and the button that scores a point. */
export const ActionPanel = ({ board, row, player, view, canScore }: ActionPanelProps) => {
  const button = useRef<HTMLButtonElement>(null)
  const title = useRef<HTMLHeadingElement>(null)
  // The server's place is of the same moment as the rank, so it does not depend on the board beside it.
  const place = view.place ? view.place.place : (row ?? -1) + 1 || undefined
  // Pending presses are included at once, and disappear again if they fail.
  const settled = view.score ?? board.scores?.[row ?? -1]?.score
  const score = settled === undefined ? undefined : settled + view.pending
  useEffect(() => player.boardChanged(board.scores), [board.scores])
  const isRowLost = view.place?.place !== undefined && row === undefined
  useEffect(() => {
    if (isRowLost) player.boardChanged()
  }, [isRowLost, board.stamp?.version])
  useGoToOwnRow(view.score !== undefined && !isRowLost)
  const wait = useCountdown(view.blockedUntil)
  // The operator may have begun to require receipts since the page was loaded.
  const hasButton =
    canScore && !(view.problem?.kind === "refused" && view.problem.cause === "receiptRequired")
  useEffect(() => (button.current ?? title.current)?.focus({ preventScroll: true }), [hasButton])

  const length = formatCount(score ?? 0).length
  return (
    <section class="card action" aria-labelledby="own-score-title">
      <div class="standing" data-long={length > BESIDE_BUTTON}>
        <h2 id="own-score-title" ref={title} tabIndex={-1}>
          Your score
        </h2>
        <p class="own-score" style={{ "--length": length }}>
          {score === undefined ? "–" : <RollingCount value={score} />}
        </p>
      </div>
      <p class="place">
        <ChangingText>{score === undefined ? "" : describePlace(place, view.rank, score)}</ChangingText>
      </p>
      {hasButton && (
        <button
          ref={button}
          type="button"
          class="button press"
          data-pending={view.pending > 0}
          aria-disabled={wait > 0}
          // A key that is held down counts as one press.
          onKeyDown={(event) => event.repeat && event.preventDefault()}
          onClick={() => player.press()}
        >
          <ChangingText>{wait > 0 ? `Wait ${formatWait(wait)}` : "Score a point"}</ChangingText>
        </button>
      )}
      <p class="progress" data-problem={view.problem !== undefined}>
        <span role="status">
          <ChangingText>{explain(view)}</ChangingText>
        </span>
        {view.problem === undefined && <ChangingText>{progress(view, hasButton)}</ChangingText>}
      </p>
    </section>
  )
}
