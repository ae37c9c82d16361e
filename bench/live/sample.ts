import type { ChildProcess } from "../../test/support/engines/ChildProcess.ts"
import { settled } from "./held.ts"
import { type Connection, connectionsOf } from "./network.ts"
import { descriptors } from "./process.ts"

/** The sum of a metric's series in a Prometheus text; only those whose labels contain `label`. 0 when there is none. */
const metric = (text: string, name: string, label = "") =>
  text
    .split("\n")
    .filter((line) => /^[a-z_0-9]+/.exec(line)?.[0] === name && line.includes(label))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0)

/** Connections that the server has closed and the kernel still holds, and the bytes that wait in it for all peers. */
const remains = (connections: ReadonlyArray<Connection>) => ({
  orphans: connections.filter(({ state }) => state === "closing").length,
  unreadBytes: connections.reduce((sum, { unsentBytes }) => sum + unsentBytes, 0),
})

/** One look at the server. Memory in bytes, after a forced collection. */
export const sample = async (server: ChildProcess, port: number, managementPort: number) => {
  const memory = await settled(server)
  const response = await fetch(`http://127.0.0.1:${managementPort}/metrics`, {
    headers: { connection: "close" },
  })
  const text = await response.text()
  const { orphans, unreadBytes } = remains(connectionsOf(port))
  const connections = metric(text, "websocket_connections")
  return {
    ...memory,
    connections,
    /** Open files and sockets beside those of viewers. */
    otherDescriptors: descriptors(server.pid) - connections,
    silent: metric(text, "websocket_cut_total", 'reason="silent"'),
    unread: metric(text, "websocket_cut_total", 'reason="unread"'),
    refused: metric(text, "websocket_refused_total"),
    /** Since the last look. */
    loopDelayMillis: metric(text, "nodejs_eventloop_lag_p99_seconds") * 1000,
    orphans,
    unreadBytes,
  }
}

/** One look, with what viewers and readers saw since the look before. */
export interface Sample extends Awaited<ReturnType<typeof sample>> {
  /** Since the start. */
  readonly minutes: number
  /** Of GET /scores, ms. */
  readonly reads: ReadonlyArray<number>
  /** Well-behaved viewers that are connected. */
  readonly open: number
  /** How often a well-behaved viewer did not have, after a second, a board or a later one; and of how many boards. */
  readonly stale: number
  readonly boards: number
  /** Published → last well-behaved viewer, the slowest board, ms. */
  readonly slowestMillis: number
}
