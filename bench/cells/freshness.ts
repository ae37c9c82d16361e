import * as Schema from "effect/Schema"
import { WebSocket } from "ws"
import { PublicBoard } from "../../src/domain/Messages.ts"
import { type Figures, quantile } from "../figures.ts"
import { openLoop } from "../http.ts"
import type { System } from "../system.ts"
import { type IncrementRequest, measure } from "./increments.ts"

/** A board as either system shows it. */
export const readBoard = Schema.decodeUnknownSync(Schema.fromJsonString(PublicBoard))

/** Opened together, at most this many at a time: a listen backlog is finite. */
const OPEN_AT_ONCE = 100

/** What was on its way when the last increment was answered arrives within this time, or not at all. */
const LAST_BOARDS_MILLIS = 1_000

const openSocket = (port: number) =>
  new Promise<WebSocket>((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/scores/websocket`, { perMessageDeflate: false })
    socket.once("open", () => resolve(socket)).once("error", reject)
  })

/**
 * From the start of a request to the board that shows it, at every client. The nth counted increment of a player is
 * shown by the first board with that player's score at n or more; all players driven are on the board.
 */
export const freshness = async (options: {
  readonly system: System
  readonly clients: number
  readonly ratePerSecond: number
  readonly seconds: number
  /** Addresses of the players driven in turn, at most ten; and their scores so far. */
  readonly emails: ReadonlyArray<string>
  readonly request: IncrementRequest
  readonly before: ReadonlyMap<string, number>
}): Promise<Figures> => {
  const { system, emails } = options
  const started = new Map(emails.map((email): [string, Array<number>] => [email, []]))
  const seen: Array<number> = []
  const sockets: Array<WebSocket> = []
  // All clients of one server get the same text, which is read once.
  let text = ""
  let board: PublicBoard = { scores: [] }
  const watch = (socket: WebSocket) => {
    const shown = new Map<string, number>()
    socket.on("message", (data: Buffer) => {
      const now = performance.now()
      const next = data.toString()
      if (next !== text) {
        text = next
        board = readBoard(next)
      }
      for (const { email, score } of board.scores) {
        const times = started.get(email)
        if (times === undefined) continue
        const base = options.before.get(email) ?? 0
        let from = shown.get(email) ?? 0
        for (; from < Math.min(score - base, times.length); from++) {
          seen.push(now - (times[from] ?? now))
        }
        shown.set(email, from)
      }
    })
  }
  /** Boards of one viewer of each API. */
  let boards = 0
  const emailOf = (n: number) => emails[n % emails.length] ?? ""
  const portOf = (n: number) => system.ports[n % system.ports.length] ?? 0
  while (sockets.length < options.clients) {
    const some = Math.min(OPEN_AT_ONCE, options.clients - sockets.length)
    const opened = await Promise.all(
      Array.from({ length: some }, (_, n) => openSocket(portOf(sockets.length + n))),
    )
    for (const socket of opened) {
      watch(socket)
      sockets.push(socket)
    }
  }
  for (const socket of sockets.slice(0, system.ports.length)) socket.on("message", () => boards++)
  const [begun, selects] = [performance.now(), await system.selects()]
  const { load, cost } = await measure(system, () =>
    openLoop({
      ports: system.ports,
      ratePerSecond: options.ratePerSecond,
      seconds: options.seconds,
      request: options.request,
      started: (n) => void started.get(emailOf(n))?.push(performance.now()),
    }),
  )
  const seconds = (performance.now() - begun) / 1000
  const figures = {
    "boards a second, each API": boards / system.ports.length / seconds,
    "selects of the board a second": ((await system.selects()) - selects) / seconds,
  }
  await new Promise((resolve) => setTimeout(resolve, LAST_BOARDS_MILLIS))
  for (const socket of sockets) socket.terminate()
  const sorted = seen.toSorted((a, b) => a - b)
  return {
    "board p50 ms": quantile(sorted, 0.5),
    "board p99 ms": quantile(sorted, 0.99),
    "seen share": seen.length / (load.accepted * options.clients),
    ...figures,
    ...cost,
  }
}
