import type { BoardView } from "../../../src/client/ScoreboardClient.ts"
import type { BOARD_SIZE, Scores } from "../../../src/domain/Score.ts"
import { useLayoutEffect, useRef } from "preact/hooks"
import { BoardRow, OpenPlace } from "./BoardRow.tsx"
import { useGlide } from "./useGlide.ts"

/** `BOARD_SIZE` of the domain. The page loads no code of the domain, but the type makes sure that both are equal. */
const PLACES: typeof BOARD_SIZE = 10

/** Two players may have the same (masked) address, so a key is the address and how many rows above have it, too. */
const keysOf = (scores: Scores): string[] => {
  const seen = new Map<string, number>()
  return scores.map(({ email }) => {
    const nth = seen.get(email) ?? 0
    seen.set(email, nth + 1)
    return `${nth} ${email}`
  })
}

const Notice = ({ title, text }: { readonly title: string; readonly text: string }) => (
  <div class="notice">
    <div class="notice-card">
      <p class="notice-title">{title}</p>
      <p>{text}</p>
    </div>
  </div>
)

interface BoardProps {
  readonly view: BoardView
  /** The row of the player who looks at the board, counted from 0: see `OwnPlace.at`. */
  readonly own?: number | undefined
}

/**
 * Always ten places. A short board also shows the open ones, so that nothing moves when they fill. The places never
 * move; only the players in them change, so an update causes no layout shift. The glide is an animation on top.
 */
export const Board = ({ view, own }: BoardProps) => {
  const { scores, state } = view
  const isCutOff = state === "reconnecting" || state === "offline"
  const list = useRef<HTMLOListElement>(null)
  const keys = keysOf(scores ?? [])
  useGlide(list, keys.join("\n"))
  const best = scores?.[0]?.score ?? 0
  const taken = scores?.length ?? 0

  const countBefore = useRef(new Map<string, number>())
  useLayoutEffect(() => {
    countBefore.current = new Map(scores?.map(({ score }, index) => [keys[index] ?? "", score]))
  }, [scores])

  return (
    <section
      class="board"
      data-fresh={!isCutOff}
      data-empty={scores?.length === 0}
      aria-label="Top 10"
      aria-busy={scores === undefined}
    >
      <ol ref={list} role="list" class="places">
        {scores?.map((score, index) => (
          <BoardRow
            key={index}
            id={keys[index] ?? ""}
            rank={index + 1}
            email={score.email}
            score={score.score}
            scoreBefore={countBefore.current.get(keys[index] ?? "")}
            share={best === 0 ? 0 : score.score / best}
            isOwn={index === own}
          />
        ))}
        {Array.from({ length: PLACES - taken }, (_, index) => (
          <OpenPlace key={taken + index} rank={taken + index + 1} isLoading={scores === undefined} />
        ))}
      </ol>
      {scores?.length === 0 && <Notice title="No scores yet" text="The first point takes first place." />}
      {scores === undefined && isCutOff && (
        <Notice title="Board unavailable" text="It will appear here once the server answers." />
      )}
    </section>
  )
}
