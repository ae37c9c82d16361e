import { useEffect, useRef } from "preact/hooks"
import type { Player } from "../../src/client/Player.ts"
import type { ScoreboardClient } from "../../src/client/ScoreboardClient.ts"
import { Board } from "./board/Board.tsx"
import { useOwnPlace } from "./board/useOwnPlace.ts"
import { EmailAddress } from "./EmailAddress.tsx"
import { Announcer } from "./live/Announcer.tsx"
import { Connection } from "./live/Connection.tsx"
import { ActionPanel } from "./player/ActionPanel.tsx"
import { SignInForm } from "./player/SignInForm.tsx"
import { useView } from "./useView.ts"

interface AppProps {
  readonly board: ScoreboardClient
  readonly player: Player
  /** Whether the board counts a press of the page's own button. */
  readonly canScore: boolean
}

export const App = ({ board, player, canScore }: AppProps) => {
  const view = useView(board)
  const own = useView(player)
  const { email } = own
  const row = useOwnPlace(view, email === undefined ? undefined : { ...own, email })
  const lastEmail = useRef("")
  useEffect(() => {
    if (email !== undefined) lastEmail.current = email
  }, [email])

  return (
    <div class="page">
      <header class="top">
        <h1>Scoreboard</h1>
        <Connection view={view} />
        {email === undefined ? (
          <a class="button quiet to-sign-in" href="#sign-in-email">
            Sign in
          </a>
        ) : (
          <div class="account">
            <EmailAddress key={email} email={email} />
            <button type="button" class="button quiet" onClick={() => player.signOut()}>
              Sign out
            </button>
          </div>
        )}
      </header>
      <main>
        <Board view={view} own={row} />
        {email === undefined ? (
          <SignInForm
            key={own.expired ? "expired" : "signed out"}
            player={player}
            expired={own.expired}
            lastEmail={lastEmail.current}
          />
        ) : (
          <ActionPanel key={email} board={view} row={row} player={player} view={own} canScore={canScore} />
        )}
      </main>
      <Announcer view={view} own={row} />
    </div>
  )
}
