import { useEffect, useRef } from "preact/hooks"
import type { BoardView } from "../../../src/client/ScoreboardClient.ts"
import type { Player, PlayerView } from "../../../src/client/Player.ts"
import { ownPlace } from "../board/ownPlace.ts"
import { RollingCount } from "../board/RollingCount.tsx"
import { formatCount, formatWait } from "../format.ts"
import { useCountdown } from "../useNow.ts"
import { describePlace } from "./describePlace.ts"

/** Why the last press that failed did, and what that means for the score. */
const explain = ({ problem }: PlayerView): string => {
  switch (problem?.kind) {
    case undefined:
      return ""
    case "limited":
      return "Too fast: that press was not counted."
    case "unavailable":
      return "The server cannot count at the moment."
    case "unanswered":
      return "No answer: the last press may not have been counted."
    case "refused":
      return problem.status === 403 ? "This player cannot score." : "The server refused that press."
  }
}

const progress = ({ pending, retrying, counted }: PlayerView): string => {
  if (retrying) return "No answer yet. Trying again; it counts once."
  if (pending > 1) return `Sending ${formatCount(pending)}…`
  return counted === 0 ? "Every press is one point." : `${formatCount(counted)} counted since you signed in`
}

interface ActionPanelProps {
  readonly board: BoardView
  readonly player: Player
  readonly view: PlayerView
  readonly email: string
}

/** The player's own score and place, and the one thing to do about them. */
export const ActionPanel = ({ board, player, view, email }: ActionPanelProps) => {
  const button = useRef<HTMLButtonElement>(null)
  const place = ownPlace(board.scores ?? [], { email, score: view.score })
  // Presses in the air show at once, and go again if they fail.
  const settled = view.score ?? board.scores?.[place]?.score
  const score = settled === undefined ? undefined : settled + view.pending
  useEffect(() => player.boardChanged(), [board.scores])
  const wait = useCountdown(view.blockedUntil)
  useEffect(() => button.current?.focus({ preventScroll: true }), [])

  return (
    <section class="card action" aria-labelledby="own-score-title">
      <div class="standing">
        <h2 id="own-score-title">Your score</h2>
        <p class="own-score" style={{ "--length": formatCount(score ?? 0).length }}>
          {score === undefined ? "–" : <RollingCount value={score} />}
        </p>
      </div>
      <p class="place">
        {score === undefined ? "" : describePlace(place + 1 || undefined, view.rank, score)}
      </p>
      <button
        ref={button}
        type="button"
        class="button press"
        data-pending={view.pending > 0}
        aria-disabled={wait > 0}
        // A key held down is one press.
        onKeyDown={(event) => event.repeat && event.preventDefault()}
        onClick={() => player.press()}
      >
        {wait > 0 ? `Wait ${formatWait(wait)}` : "Score a point"}
      </button>
      <p class="progress" data-problem={view.problem !== undefined}>
        <span role="status">{explain(view)}</span>
        {view.problem === undefined && <span>{progress(view)}</span>}
      </p>
    </section>
  )
}
