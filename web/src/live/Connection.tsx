import type { LiveState } from "../../../src/client/ConnectionState.ts"
import type { BoardView } from "../../../src/client/ScoreboardClient.ts"
import { formatAge } from "../format.ts"
import { useNow } from "../useNow.ts"

export const STATE_NAMES: Readonly<Record<LiveState, string>> = {
  connecting: "Connecting",
  live: "Live",
  polling: "Polling",
  reconnecting: "Reconnecting",
  offline: "Offline",
}

/** How the board gets here, and how old what it shows may be. */
export const Connection = ({ view }: { readonly view: BoardView }) => {
  const now = useNow(view.confirmedAt !== undefined)
  return (
    <div class="connection" data-state={view.state} role="group" aria-label="Connection">
      {/* A new element for every sign of life: it beats once, and an idle page draws nothing. */}
      <span class="dot" key={view.confirmedAt} aria-hidden="true" />
      <strong>{STATE_NAMES[view.state]}</strong>
      {/* New for every state: beside a word of another length it begins anew instead of being pushed. */}
      {view.confirmedAt !== undefined && (
        <span class="age" key={view.state}>
          as of {formatAge(Math.max(now, view.confirmedAt) - view.confirmedAt)}
        </span>
      )}
    </div>
  )
}
