import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { parseArgs } from "node:util"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as SqlClient from "effect/sql/SqlClient"
import type { incrementsStatement } from "../src/services/Sql/SqlCommit.ts"
import * as Postgres from "../test/support/engines/Postgres.ts"
import { batchOf, SERVER, somebody } from "./players.ts"
import { milliseconds, spread } from "./ranksStatistics.ts"

/**
 * `node bench/ranksAgainst.ts --against <checkout> [--players n] [--rounds n] [--spread] [--levels]`: the CPU of the server process that
 * commits, beside that of another checkout, and what a change of many points costs beside one of a single point. Each side
 * has its own database on one server, migrated and filled by its own admin command, and its own commit statement; they get
 * one batch each in turn. `--spread`: scores drawn evenly up to 10^9. `--levels`: this side began
 * as a database of the other, so its triggers also maintain the levels that the other reads. Linux.
 */
const { values } = parseArgs({
  options: {
    against: { type: "string" },
    players: { type: "string", default: "100000" },
    rounds: { type: "string", default: "5" },
    spread: { type: "boolean", default: false },
    levels: { type: "boolean", default: false },
  },
})
const players = Number(values.players)
const rounds = Number(values.rounds)

/** Commits of each side in a round, by the size of their batches: a round takes some seconds. */
const COMMITS = { 1: 1500, 10: 800, 100: 250 }

/** Changes of each kind in a round. */
const CHANGES = 300

/** CPU microseconds of a process so far: the first field of its schedstat, in nanoseconds. */
const cpuMicros = (pid: number) => Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1000

interface Side {
  readonly sql: SqlClient.SqlClient
  readonly pid: number
  readonly statement: typeof incrementsStatement
}

const hasStatement = (
  module: unknown,
): module is { readonly incrementsStatement: typeof incrementsStatement } =>
  typeof module === "object" && module !== null && "incrementsStatement" in module

/** `first` is the checkout that fills the database. */
const makeSide = Effect.fnUntraced(function* (first: string, folder: string, url: Redacted.Redacted) {
  const admin = (by: string, ...args: ReadonlyArray<string>) =>
    execFileSync(process.execPath, [join(by, "src/main-admin.ts"), ...args], {
      cwd: by,
      env: { PATH: process.env["PATH"], DATABASE_URL: Redacted.value(url) },
    })
  admin(first, "migrate")
  admin(first, "generate", "--players", values.players)
  admin(folder, "migrate")
  const sql = yield* PgClient.make({
    url,
    maxConnections: 1,
    // As the product's committing connections.
    startupParameters: { plan_cache_mode: "force_generic_plan" },
  })
  if (values.spread) {
    yield* sql`alter table scores disable trigger user`
    yield* sql`update scores set score = 1 + (hashtext(user_id)::bigint + 2147483648) * 1000000000 / 4294967296`
    yield* sql`alter table scores enable trigger user`
    admin(folder, "ranks", "repair")
  }
  yield* sql`vacuum (full, analyze) scores`
  const [row] = yield* sql<{ readonly pid: number }>`select pg_backend_pid() as pid`
  const commit: unknown = yield* Effect.promise(
    () => import(pathToFileURL(join(folder, "src/services/Sql/SqlCommit.ts")).href),
  )
  if (!hasStatement(commit)) throw new Error(`${folder} has no commit statement`)
  const side: Side = { sql, pid: row?.pid ?? 0, statement: commit.incrementsStatement }
  return side
})

/** CPU and time of one statement. */
const costOf = (
  { sql, pid }: Side,
  statement: (sql: SqlClient.SqlClient) => Effect.Effect<unknown, unknown>,
) =>
  Effect.gen(function* () {
    const cpu = cpuMicros(pid)
    const millis = yield* milliseconds(statement(sql))
    return { cpu: cpuMicros(pid) - cpu, millis }
  })

const commits = Effect.fnUntraced(function* (ours: Side, other: Side, size: keyof typeof COMMITS) {
  const ratios: Array<number> = []
  const micros: Array<number> = []
  const times: Array<number> = []
  for (let round = -1; round < rounds; round++) {
    const sum = { ours: 0, other: 0, oursMillis: 0, otherMillis: 0 }
    for (let n = 0; n < COMMITS[size]; n++) {
      const batch = batchOf(size, () => somebody(players))
      const mine = costOf(ours, (sql) => ours.statement(sql, batch))
      const theirs = costOf(other, (sql) => other.statement(sql, batch))
      const [one, two] = yield* Effect.all(n % 2 === 0 ? [mine, theirs] : [theirs, mine])
      const [a, b] = n % 2 === 0 ? [one, two] : [two, one]
      sum.ours += a.cpu
      sum.other += b.cpu
      sum.oursMillis += a.millis
      sum.otherMillis += b.millis
    }
    // The first round warms up.
    if (round < 0) continue
    ratios.push(sum.ours / sum.other)
    times.push(sum.oursMillis / sum.otherMillis)
    micros.push(sum.ours / COMMITS[size])
  }
  yield* Console.log(
    `batches of ${size}: CPU of the server process, this ÷ the other: ${spread(ratios, 2)}; time: ${spread(times, 2)}; ` +
      `CPU a batch: ${spread(micros, 0)} µs`,
  )
})

const changes = Effect.fnUntraced(function* (side: Side) {
  const kinds: Readonly<Record<string, string>> = {
    "+ 1": "score + 1",
    "+ 1 again": "score + 1",
    "+ 1,000,000": "score + 1000000",
    "to 2^53 - 1": "9007199254740991",
    "back down": "score - 9007199254740991 + 17",
  }
  const ratios = new Map<string, { readonly cpu: Array<number>; readonly time: Array<number> }>()
  for (let round = -1; round < rounds; round++) {
    const sums = new Map<string, { cpu: number; millis: number }>()
    for (let n = 0; n < CHANGES; n++) {
      const who = somebody(players)
      for (const [kind, score] of Object.entries(kinds)) {
        const change = (sql: SqlClient.SqlClient) =>
          sql.unsafe(`update scores set score = ${score}, reached = nextval('event_id') where user_id = $1`, [
            who,
          ])
        const cost = yield* costOf(side, change)
        const sum = sums.get(kind) ?? { cpu: 0, millis: 0 }
        sums.set(kind, { cpu: sum.cpu + cost.cpu, millis: sum.millis + cost.millis })
      }
    }
    const one = sums.get("+ 1")
    if (round < 0 || one === undefined) continue
    for (const [kind, { cpu, millis }] of sums) {
      const so = ratios.get(kind) ?? { cpu: [], time: [] }
      ratios.set(kind, { cpu: [...so.cpu, cpu / one.cpu], time: [...so.time, millis / one.millis] })
    }
  }
  for (const [kind, { cpu, time }] of ratios) {
    yield* Console.log(`one update, ${kind}, against + 1: CPU ${spread(cpu, 2)}; time ${spread(time, 2)}`)
  }
})

export const main = Effect.gen(function* () {
  if (values.against === undefined) throw new Error("--against names a checkout with its dependencies")
  const { url, freshDatabase } = yield* Postgres.make({ settings: SERVER })
  const against = resolve(values.against)
  const root = resolve(import.meta.dirname, "..")
  const ours = yield* makeSide(values.levels ? against : root, root, url)
  const other = yield* makeSide(against, against, yield* freshDatabase)
  for (const size of [1, 10, 100] as const) yield* commits(ours, other, size)
  yield* changes(ours)
}).pipe(Effect.scoped, Effect.provide(Reactivity.layer))

if (import.meta.main) NodeRuntime.runMain(main)
