import type * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import { labelledCounter } from "../../foundation/LabelledCounter.ts"
import type { Audience, Viewer } from "./SocketHubViewer.ts"

const connected = Metric.gauge("websocket_connections", { description: "Open sockets." })
const cuts = labelledCounter({
  name: "websocket_cut_total",
  description: "Sockets cut, by reason.",
  label: "reason",
  values: ["silent", "unread", "drain"],
})
const behind = Metric.counter("websocket_behind_total", {
  description: "Sockets that had not read the board before when the next one came.",
  incremental: true,
})

/** The open sockets of this process, and what their hub remembers about them. */
export interface OpenSockets {
  readonly viewers: ReadonlySet<Viewer>
  /** What every viewer reads and reports: one object for all of them. */
  readonly audience: Audience
  /** True from the beginning of a drain. */
  draining: boolean
  /** How many sockets a client's address has. */
  countOf(address: string): number
  add(viewer: Viewer, address: string): void
}

/** No open sockets yet. */
export const makeSockets = (context: Context.Context<never>): OpenSockets => {
  const viewers = new Set<Viewer>()
  const perAddress = new Map<string, number>()
  const countOf = (address: string) => perAddress.get(address) ?? 0
  const setCount = (address: string, count: number) => {
    if (count > 0) perAddress.set(address, count)
    else perAddress.delete(address)
    connected.updateUnsafe(viewers.size, context)
  }

  const audience: Audience = {
    newest: undefined,
    behind: () => behind.updateUnsafe(1, context),
    cut: (reason) => cuts.addUnsafe(reason, context),
    gone: (viewer, isAnswered) => {
      viewers.delete(viewer)
      setCount(viewer.address, countOf(viewer.address) - 1)
      if (sockets.draining && !isAnswered) cuts.addUnsafe("drain", context)
    },
  }

  const sockets: OpenSockets = {
    viewers,
    audience,
    draining: false,
    countOf,
    add: (viewer, address) => {
      viewers.add(viewer)
      setCount(address, countOf(address) + 1)
    },
  }
  return sockets
}
