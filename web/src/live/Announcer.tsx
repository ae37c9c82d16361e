import { useEffect, useRef, useState } from "preact/hooks"
import type { BoardView } from "../../../src/client/ScoreboardClient.ts"
import { STATE_NAMES } from "./Connection.tsx"
import type { Viewer } from "../board/ownPlace.ts"
import { describeChange } from "./describeChange.ts"

/** About the time that it takes to read out a sentence. Changes during that time are announced together. */
const QUIET_MS = 5_000

interface AnnouncerProps {
  readonly view: BoardView
  /** The player who listens, while signed in. */
  readonly viewer: Viewer | undefined
}

/** Tells a screen reader, politely and at most every 5 s, what has changed since the last announcement. */
export const Announcer = ({ view, viewer }: AnnouncerProps) => {
  const [sentence, setSentence] = useState("")
  const told = useRef({ view, at: 0 })

  useEffect(() => {
    const speak = () => {
      const before = told.current.view
      const moved = before.scores && view.scores && describeChange(before.scores, view.scores, viewer)
      // The first connection is expected, so it is not announced.
      const isNews = view.state !== before.state && before.state !== "connecting"
      const next = [isNews && `Connection: ${STATE_NAMES[view.state]}.`, moved].filter(Boolean).join(" ")
      told.current = { view, at: next === "" ? told.current.at : Date.now() }
      if (next !== "") setSentence(next)
    }
    const timer = setTimeout(speak, Math.max(0, told.current.at + QUIET_MS - Date.now()))
    return () => clearTimeout(timer)
  }, [view.scores, view.state, viewer])

  return (
    <p class="visually-hidden" role="status">
      {sentence}
    </p>
  )
}
