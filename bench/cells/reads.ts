import type { Figures } from "../figures.ts"
import { closedLoop } from "../http.ts"

/** A server that answers `GET /scores`. */
export interface Reader {
  readonly name: string
  readonly port: number
  /** Processor time so far, in microseconds. */
  readonly cpu: () => number
}

/** Connections of the read benchmark: enough to keep any of the servers busy. */
const CONNECTIONS = 50

/** As many reads as a server takes. */
export const reads = async (reader: Reader, seconds: number): Promise<Figures> => {
  const before = reader.cpu()
  const request = "GET /scores HTTP/1.1\r\nHost: localhost\r\n\r\n"
  const load = await closedLoop({
    port: reader.port,
    connections: CONNECTIONS,
    seconds,
    request: () => request,
  })
  if (load.failed > 0) throw new Error(`${reader.name}: ${load.failed} reads failed`)
  return {
    "reads/s": load.accepted / load.seconds,
    "CPU µs per read": (reader.cpu() - before) / load.accepted,
  }
}
