import type { BoardView } from "../../../src/client/ScoreboardClient.ts"
import type { BOARD_SIZE, Scores } from "../../../src/domain/Score.ts"
import { useLayoutEffect, useRef } from "preact/hooks"
import { BoardRow, OpenPlace } from "./BoardRow.tsx"
import { ownPlace, type Viewer } from "./ownPlace.ts"
import { useGlide } from "./useGlide.ts"

/** The domain's `BOARD_SIZE`, repeated because the page loads none of its code; the type ties the two. */
const PLACES: typeof BOARD_SIZE = 10

/** Two players may share an address, so a row is known by its address and how often it came before. */
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
  /** Who looks at it, while signed in. */
  readonly viewer?: Viewer | undefined
}

/**
 * Ten places, always: a short board shows the open ones, so that nothing moves when they fill. The places stay
 * where they are and only their players change, so an update is no layout shift; the glide is drawn on top.
 */
export const Board = ({ view, viewer }: BoardProps) => {
  const { scores, state } = view
  const isCutOff = state === "reconnecting" || state === "offline"
  const list = useRef<HTMLOListElement>(null)
  const keys = keysOf(scores ?? [])
  useGlide(list, keys.join("\n"))
  const own = ownPlace(scores ?? [], viewer)
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
      {scores?.length === 0 && <Notice title="No scores yet" text="The first point takes the first place." />}
      {scores === undefined && isCutOff && (
        <Notice title="No board yet" text="It appears here as soon as the server answers." />
      )}
    </section>
  )
}
