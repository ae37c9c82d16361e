import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import { parseArgs } from "node:util"
import { startEngines, startServer } from "./engines.ts"
import { measure, type Measured } from "./measure.ts"
import { table } from "./table.ts"

interface Implementation {
  readonly name: string
  readonly folder?: string
  readonly entry: string
  readonly protocol: "websocket" | "socket.io"
}

const hub: Implementation = { name: "hub", entry: "src/main-api.ts", protocol: "websocket" }

/** Two servers that do the same push the usual ways. */
const usual: ReadonlyArray<Implementation> = [
  { name: "ws loop", entry: "bench/live/loop.ts", protocol: "websocket" },
  { name: "Socket.IO", entry: "bench/live/socketio.ts", protocol: "socket.io" },
]

/**
 * The push path beside `ws.send` in a loop and Socket.IO 4, or beside another checkout of itself, each in a fresh
 * process per round, in turns, on one Redis. Prints a table of ratios. Linux only: reads /proc.
 */
export const live = Effect.fnUntraced(function* (options: {
  readonly rounds: number
  /** Sockets for processor time, memory and connecting; twice as many for the time to the last. */
  readonly sockets: number
  readonly seconds: number
  /** The folder of the other checkout. */
  readonly against?: string | undefined
}) {
  const { against } = options
  const implementations = [
    hub,
    ...(against === undefined ? usual : [{ ...hub, name: "baseline", folder: against }]),
  ]
  const { redis, env } = yield* startEngines

  let run = 0
  const one = Effect.fnUntraced(function* (implementation: Implementation) {
    const server = yield* startServer({ ...implementation, env })
    return yield* measure({
      ...options,
      server,
      port: server.port,
      protocol: implementation.protocol,
      redis,
      // Ports in TIME_WAIT are those of other addresses.
      addresses: Array.from({ length: 4 }, (_, n) => `127.0.${1 + (run++ % 250)}.${1 + n}`),
    })
  }, Effect.scoped)

  const results = new Map<string, Array<Measured>>(implementations.map(({ name }) => [name, []]))
  for (let round = 0; round < options.rounds; round++) {
    // A B C, then C B A: whatever the machine does meanwhile falls on all.
    for (const implementation of round % 2 === 0 ? implementations : implementations.toReversed()) {
      results.get(implementation.name)?.push(yield* one(implementation))
    }
  }
  console.log(table(results))
})

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "3" },
      sockets: { type: "string", default: "5000" },
      seconds: { type: "string", default: "6" },
      against: { type: "string" },
    },
  })
  live({
    rounds: Number(values.rounds),
    sockets: Number(values.sockets),
    seconds: Number(values.seconds),
    against: values.against,
  }).pipe(Effect.scoped, NodeRuntime.runMain())
}
