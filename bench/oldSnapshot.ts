import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as Statement from "effect/sql/Statement"
import { parseArgs } from "node:util"
import { UserId } from "../src/domain/Score.ts"
import { Sql } from "../src/services/Sql/Sql.ts"
import { boardStatement } from "../src/services/Sql/SqlBoard.ts"
import { incrementsStatement } from "../src/services/Sql/SqlCommit.ts"
import { EVERYTHING_SECONDS, leaseStatement } from "../src/services/Sql/SqlOutbox.ts"
import * as SqlPostgres from "../src/services/Sql/SqlPostgres.ts"
import * as Postgres from "../test/support/engines/Postgres.ts"
import { quantile } from "./figures.ts"

/**
 * `node bench/oldSnapshot.ts [--commits n] [--players n] [--without]`: what single commits, an empty lease and the board cost
 * while a transaction with a snapshot stays open, as during a `pg_dump`. `--without`: the same without that transaction.
 */
const { values } = parseArgs({
  options: {
    commits: { type: "string", default: "24000" },
    players: { type: "string", default: "1000" },
    without: { type: "boolean", default: false },
  },
})
const commits = Number(values.commits)
const players = Number(values.players)

/** How far back a process looks that leases every 2 s: see `makeLease`. */
const NEXT_LEASE_SECONDS = 3

/** Lines of the table. */
const STEPS = 8

const milliseconds = (since: number) => performance.now() - since

/** As the server takes an array or a text inside EXECUTE. */
const literal = (value: unknown): string =>
  Array.isArray(value)
    ? literal(`{${value.map((item) => JSON.stringify(item)).join(",")}}`)
    : `'${String(value).replaceAll("'", "''")}'`

interface Cost {
  readonly pages: number
  readonly millis: number
  /** The time of each trigger. */
  readonly triggers: string
}

/** What a statement reads and how long it takes at the server, by the plan that is kept for all values; undone. */
const costOf = (client: PgClient.PgClient, statement: Statement.Statement<unknown>) =>
  Effect.gen(function* () {
    const [text, parameters] = statement.compile()
    yield* client`begin`
    yield* client`set local plan_cache_mode = force_generic_plan`
    yield* client.unsafe(`prepare measured as ${text}`)
    const rows = yield* client.unsafe<{ readonly "QUERY PLAN": string }>(
      `explain (analyze, buffers, costs off) execute measured${parameters.length === 0 ? "" : `(${parameters.map(literal).join(", ")})`}`,
    ).unprepared
    yield* client`deallocate measured`
    yield* client`rollback`
    const lines = rows.map((row) => row["QUERY PLAN"])
    const plan = lines.slice(
      0,
      lines.findIndex((line) => line.startsWith("Planning")),
    )
    const buffers = plan.find((line) => line.includes("Buffers:")) ?? ""
    const pages = [...buffers.matchAll(/(?:hit|read)=(\d+)/g)].reduce((sum, [, n]) => sum + Number(n), 0)
    const cost: Cost = {
      pages,
      millis: Number(/Execution Time: ([\d.]+)/.exec(lines.join("\n"))?.[1]),
      triggers: lines
        .flatMap((line) => /Trigger (\w+):? .*time=([\d.]+)/.exec(line)?.slice(1, 3).join(" ") ?? [])
        .join(", "),
    }
    return cost
  })

const by = (player: number) => ({
  userId: UserId.make(`player-${player}`),
  email: `player-${player}@example.com`,
  key: undefined,
  tokenId: undefined,
})

const program = Effect.gen(function* () {
  const engine = yield* Postgres.make({ settings: {} })
  const url = yield* engine.freshDatabase
  const sql = Context.get(yield* Layer.build(SqlPostgres.layerFrom(url)), Sql)
  const operator = yield* PgClient.make({ url, maxConnections: 1 })
  const old = yield* PgClient.make({ url, maxConnections: 1, applicationName: "old snapshot" })
  for (let player = 0; player < players; player += 100) {
    yield* sql.increment(Array.from({ length: 100 }, (_, n) => by(player + n)))
  }
  yield* operator`truncate outbox`
  yield* operator`vacuum analyze`
  if (!values.without) {
    yield* old`begin isolation level repeatable read`
    yield* old`select count(*) from scores`
  }
  const measure = Effect.fnUntraced(function* (done: number, times: ReadonlyArray<number>) {
    const sorted = times.toSorted((a, b) => a - b)
    const lease = (withinSeconds: number) =>
      costOf(operator, leaseStatement(operator, { leaseSeconds: 10, limit: 50, withinSeconds }))
    const next = yield* lease(NEXT_LEASE_SECONDS)
    const everything = yield* lease(EVERYTHING_SECONDS)
    const commit = yield* costOf(operator, incrementsStatement(operator, [by(done % players)]))
    const board = yield* costOf(operator, boardStatement(operator, 10))
    const moved = yield* costOf(operator, operator`select board_moved()`)
    console.log(
      [
        done,
        quantile(sorted, 0).toFixed(2),
        quantile(sorted, 0.5).toFixed(2),
        commit.pages,
        commit.millis.toFixed(2),
        commit.triggers,
        moved.pages,
        moved.millis.toFixed(2),
        board.pages,
        board.millis.toFixed(2),
        next.pages,
        next.millis.toFixed(2),
        everything.pages,
        everything.millis.toFixed(2),
      ].join(" | "),
    )
  })
  console.log(
    "commits | best ms | median ms | pages of a commit | ms at the server | triggers ms | pages of board_moved | ms | pages of a board | ms | pages of an empty lease | ms | pages of a lease of everything | ms",
  )
  let times: Array<number> = []
  let sent: Array<string> = []
  let leasedAt = performance.now()
  for (let done = 0; done <= commits; done++) {
    if (done % (commits / STEPS) === 0) {
      yield* sql.deleteOutbox(sent)
      sent = []
      yield* measure(done, times)
      times = []
    }
    const started = performance.now()
    const { outboxId } = yield* sql.increment([by(done % players)])
    times.push(milliseconds(started))
    if (outboxId !== undefined) sent.push(outboxId)
    if (sent.length >= 50) {
      yield* sql.deleteOutbox(sent)
      sent = []
    }
    if (milliseconds(leasedAt) > 2000) {
      yield* sql.leaseOutbox({ leaseSeconds: 10, limit: 50 })
      leasedAt = performance.now()
    }
  }
})

program.pipe(Effect.scoped, Effect.provide(Reactivity.layer), NodeRuntime.runMain())
