import { useEffect, useRef } from "preact/hooks"
import type { ScoreboardClient } from "../../src/client/ScoreboardClient.ts"
import { Board } from "./board/Board.tsx"
import { Connection } from "./live/Connection.tsx"
import { useDrift } from "./useDrift.ts"
import { useView } from "./useView.ts"
import { reloadOnNewVersion } from "./versionWatch.ts"
import { keepScreenOn } from "./wakeLock.ts"

/** Only the board, as large as the screen, for a screen that nobody touches. */
export const Wall = ({ board }: { readonly board: ScoreboardClient }) => {
  const view = useView(board)
  const page = useRef<HTMLDivElement>(null)
  useDrift(page)
  useEffect(keepScreenOn, [])
  useEffect(reloadOnNewVersion, [])

  return (
    <div class="wall" ref={page}>
      <header class="top">
        <h1>Scoreboard</h1>
        <Connection view={view} />
      </header>
      <main>
        <Board view={view} />
      </main>
    </div>
  )
}
