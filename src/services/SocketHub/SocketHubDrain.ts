import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { SOCKETS_PER_TURN } from "./SocketHubBroadcast.ts"
import type { OpenSockets } from "./SocketHubSockets.ts"

/** The closes of a drain are spread by this much per socket, so that clients do not reconnect as one wave. */
const DRAIN_MILLIS_PER_SOCKET = 1

/** How long a client has to answer the close frame before its connection is cut. */
export const CLOSE_GRACE = Duration.seconds(1)

/** Shorter pauses are not worth a timer. */
const SHORTEST_PAUSE_MILLIS = 5

/** How often a drain looks whether all sockets are closed. */
const LOOK_EVERY = "10 millis"

/** Accepts no more sockets, closes all open ones within `window`, and cuts those that do not answer. */
export const drainSockets = Effect.fnUntraced(function* (sockets: OpenSockets, window: Duration.Duration) {
  sockets.draining = true
  const { viewers } = sockets
  yield* closeAll(viewers, window)
  if (viewers.size > 0) {
    const allGone = Effect.repeat(Effect.sleep(LOOK_EVERY), { while: () => viewers.size > 0 })
    yield* Effect.timeoutOption(allGone, CLOSE_GRACE)
  }
  for (const viewer of viewers) viewer.terminate()
})

/** Sends a close frame to every viewer, evenly over the time that so many sockets get, at most `window`. */
const closeAll = Effect.fnUntraced(function* (viewers: OpenSockets["viewers"], window: Duration.Duration) {
  const count = viewers.size
  const spreadMillis = Math.min(Duration.toMillis(window), count * DRAIN_MILLIS_PER_SOCKET)
  const startedMillis = yield* Clock.currentTimeMillis
  let closed = 0
  for (const viewer of viewers) {
    viewer.leave()
    closed++
    const dueMillis = (spreadMillis * closed) / Math.max(1, count)
    const aheadMillis = dueMillis - ((yield* Clock.currentTimeMillis) - startedMillis)
    if (aheadMillis > SHORTEST_PAUSE_MILLIS) yield* Effect.sleep(aheadMillis)
    else if (closed % SOCKETS_PER_TURN === 0) yield* Effect.yieldNow
  }
})
