import type { LiveState } from "../../../src/client/ConnectionState.ts"
import type { BoardView } from "../../../src/client/ScoreboardClient.ts"
import { formatAge } from "../format.ts"
import { useNow } from "../useNow.ts"
import { ChangingText } from "../ChangingText.tsx"

export const STATE_NAMES: Readonly<Record<LiveState, string>> = {
  connecting: "Connecting",
  live: "Live",
  polling: "Delayed",
  reconnecting: "Reconnecting",
  offline: "Offline",
}

/** The state of the connection, and when the server last confirmed the board. */
export const Connection = ({ view }: { readonly view: BoardView }) => {
  const now = useNow(view.confirmedAt !== undefined)
  return (
    <div class="connection" data-state={view.state} role="group" aria-label="Connection">
      {/* A new element for each confirmation: it pulses once, so that an idle page draws nothing. */}
      <span class="dot" key={view.confirmedAt} aria-hidden="true" />
      <strong>
        <ChangingText>{STATE_NAMES[view.state]}</ChangingText>
      </strong>
      {/* A new element for each state: a word of another length beside it must not count as a layout shift. */}
      {/* The age is not translated, because it changes every second and is already in the reader's language. */}
      {view.confirmedAt !== undefined && (
        <span class="age" key={view.state} translate={false}>
          <ChangingText>{`as of ${formatAge(Math.max(now, view.confirmedAt) - view.confirmedAt)}`}</ChangingText>
        </span>
      )}
    </div>
  )
}
