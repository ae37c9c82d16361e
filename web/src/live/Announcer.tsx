import { useEffect, useRef, useState } from "preact/hooks"
import type { BoardView } from "../../../src/client/ScoreboardClient.ts"
import { STATE_NAMES } from "./Connection.tsx"
import { ChangingText } from "../ChangingText.tsx"
import { describeChange } from "./describeChange.ts"

/** About the time that it takes to read out a sentence. Changes during that time are announced together. */
const QUIET_MS = 5_000

interface AnnouncerProps {
  readonly view: BoardView
  /** The row of the player who listens: see `OwnPlace.at`. */
  readonly own: number | undefined
}

/** What the listener knows. */
interface Told {
  readonly view: BoardView
  /** The score of the listener's own row when it was last certain; null if there was none. */
  readonly ownScore: number | null | undefined
  /** When the last sentence was spoken, in ms since 1970. */
  readonly at: number
}

/** Tells a screen reader, politely and at most every 5 s, what has changed since the last announcement. */
export const Announcer = ({ view, own }: AnnouncerProps) => {
  const [sentence, setSentence] = useState("")
  const told = useRef<Told>({ view, ownScore: undefined, at: 0 })

  useEffect(() => {
    const speak = () => {
      const { view: before, ownScore: scoreBefore } = told.current
      const moved =
        before.scores && view.scores && describeChange(before.scores, view.scores, { at: own, scoreBefore })
      const ownScore = own === undefined ? scoreBefore : (view.scores?.[own]?.score ?? null)
      // The first connection is expected, so it is not announced.
      const isNews = view.state !== before.state && before.state !== "connecting"
      const next = [isNews && `Connection: ${STATE_NAMES[view.state]}.`, moved].filter(Boolean).join(" ")
      told.current = { view, ownScore, at: next === "" ? told.current.at : Date.now() }
      if (next !== "") setSentence(next)
    }
    const timer = setTimeout(speak, Math.max(0, told.current.at + QUIET_MS - Date.now()))
    return () => clearTimeout(timer)
  }, [view.scores, view.state, own])

  return (
    <p class="visually-hidden" role="status">
      <ChangingText>{sentence}</ChangingText>
    </p>
  )
}
