import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type { OpenSockets } from "./SocketHubSockets.ts"
import type { Viewer } from "./SocketHubViewer.ts"

/** How many sockets are written to before other work gets its turn: 64 writes take less than a millisecond. */
export const SOCKETS_PER_TURN = 64

const broadcasts = Metric.counter("websocket_broadcasts_total", {
  description: "Boards sent to every socket.",
  incremental: true,
})

/** Visits every viewer, with a turn of the event loop between chunks: I/O happens between them. */
const forEachViewer = Effect.fnUntraced(function* (
  { viewers }: OpenSockets,
  visit: (viewer: Viewer) => void,
  isDone: () => boolean,
) {
  let visited = 0
  for (const viewer of viewers) {
    visit(viewer)
    if (++visited % SOCKETS_PER_TURN !== 0) continue
    // `yieldNow` waits for a `setImmediate`.
    yield* Effect.yieldNow
    if (isDone()) return
  }
})

/**
 * Sends the newest text to every viewer that was not sent it yet. A newer broadcast ends an older one, because it visits
 * every viewer anyway. A text that becomes the newest during a broadcast goes to the viewers that are not visited yet;
 * the others get it with the next broadcast.
 */
export const makeBroadcast = (sockets: OpenSockets, context: Context.Context<never>) => {
  let newestTurn = 0
  return Effect.suspend(() => {
    const turn = ++newestTurn
    broadcasts.updateUnsafe(1, context)
    return forEachViewer(
      sockets,
      (viewer) => viewer.sendNewest(),
      () => newestTurn !== turn,
    )
  })
}

/** Pings every viewer, and cuts those that did not answer the pings before. */
export const pingAll = (sockets: OpenSockets) =>
  forEachViewer(
    sockets,
    (viewer) => viewer.askForLife(),
    () => sockets.draining,
  )
