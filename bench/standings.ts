import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import { parseArgs } from "node:util"
import { WebSocket } from "ws"
import { cpuMicros, quantile } from "./figures.ts"
import { startGenerated } from "./generated.ts"
import { openLoop } from "./http.ts"
import { playerAt } from "./players.ts"
import { incrementsOf } from "./requests.ts"
import { makeViewers } from "./standings/viewers.ts"

/**
 * `node bench/standings.ts [--viewers n] [--boards n] [--seconds n] [--players n]`: what it costs that signed-in viewers
 * read their places while the board changes so many times a second. The viewers are the page's own client without its
 * socket; one socket tells all of them of new boards. The same time without viewers is subtracted. About three minutes
 * at these defaults; each step is named on the standard error when it begins. Linux.
 */
const { values } = parseArgs({
  options: {
    viewers: { type: "string", default: "5000" },
    boards: { type: "string", default: "10" },
    seconds: { type: "string", default: "30" },
    players: { type: "string", default: "100000" },
  },
})
const viewers = Number(values.viewers)
const boards = Number(values.boards)
const seconds = Number(values.seconds)

/** Until what is measured is compiled code. */
const WARM_UP_SECONDS = 10

/** Until the viewers read at the pace that they keep. */
const SETTLE_SECONDS = 60

const begin = (step: string) => Effect.sync(() => console.error(`${step} …`))

const watch = (port: number, changed: () => void) =>
  Effect.acquireRelease(
    Effect.callback<WebSocket>((resume) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/scores/websocket`, { perMessageDeflate: false })
      let last = ""
      socket.on("message", (data: Buffer) => {
        const text = data.toString()
        if (text !== last) changed()
        last = text
      })
      socket.once("open", () => resume(Effect.succeed(socket)))
    }),
    (socket) => Effect.sync(() => socket.terminate()),
  )

const program = Effect.gen(function* () {
  yield* begin(`${values.players} players are generated`)
  const { identity, postgres, system } = yield* startGenerated(Number(values.players))
  const sql = yield* PgClient.make({ url: postgres.url, maxConnections: 1 })
  const best = yield* sql<{ readonly user_id: string }>`
select user_id from scores order by score desc, reached, user_id limit 10`
  const databaseCpu = Effect.map(
    sql<{ readonly pid: number }>`
select pid from pg_stat_activity where application_name like 'scoreboard %'`,
    (rows) => new Map(rows.map(({ pid }) => [pid, cpuMicros(pid)])),
  )
  const increments = incrementsOf(
    identity.env.COGNITO_ISSUER,
    best.map(({ user_id }) => user_id),
  )

  /** CPU seconds per second of the API and of the database's connections, while boards change. */
  const spend = Effect.fnUntraced(function* (forSeconds: number) {
    const [api, database] = [system.cpu().api, yield* databaseCpu]
    yield* Effect.promise(() =>
      openLoop({ ports: [system.port], ratePerSecond: boards, seconds: forSeconds, request: increments() }),
    )
    let spent = 0
    for (const [pid, cpu] of yield* databaseCpu) spent += cpu - (database.get(pid) ?? 0)
    return { api: (system.cpu().api - api) / forSeconds / 1e6, database: spent / forSeconds / 1e6 }
  })

  yield* begin(`${WARM_UP_SECONDS} s of warm-up, then ${seconds} s without viewers`)
  yield* spend(WARM_UP_SECONDS)
  const without = yield* spend(seconds)

  yield* begin(`${viewers} viewers sign in`)
  const audience = yield* makeViewers({
    port: system.port,
    accessWith: identity.accessWith,
    players: Array.from({ length: viewers }, (_, n) =>
      playerAt(1 + Math.floor((n * Number(values.players)) / viewers)),
    ),
  })
  let changes = 0
  yield* watch(system.port, () => {
    changes++
    audience.boardChanged()
  })
  yield* begin(`${SETTLE_SECONDS} s until they read at their pace, then ${seconds} s with viewers`)
  yield* spend(SETTLE_SECONDS)
  audience.reset()
  changes = 0
  const cost = yield* spend(seconds)
  const { millis, statuses } = audience.figures()
  const sorted = millis.toSorted((a, b) => a - b)
  const [api, database] = [cost.api - without.api, cost.database - without.database]
  const each = (cores: number) => ((cores * seconds * 1e6) / sorted.length).toFixed(0)
  console.log(`${viewers} viewers, ${(changes / seconds).toFixed(1)} boards/s, ${seconds} s
without viewers: API ${without.api.toFixed(3)}, PostgreSQL ${without.database.toFixed(3)} CPU-s per s
reads/s ${(sorted.length / seconds).toFixed(1)}, statuses ${JSON.stringify(Object.fromEntries(statuses))}, p50 ${quantile(sorted, 0.5).toFixed(1)} ms, p99 ${quantile(sorted, 0.99).toFixed(1)} ms
for the viewers: API ${api.toFixed(3)}, PostgreSQL ${database.toFixed(3)}, together ${(api + database).toFixed(3)} CPU-s per s
CPU µs per read: API ${each(api)}, PostgreSQL ${each(database)}`)
})

program.pipe(Effect.scoped, Effect.provide(Reactivity.layer), NodeRuntime.runMain())
