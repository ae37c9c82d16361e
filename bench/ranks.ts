import { performance } from "node:perf_hooks"
import { parseArgs } from "node:util"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Fragment } from "effect/sql/Statement"
import type * as SqlClient from "effect/sql/SqlClient"
import * as Reactivity from "effect/reactivity/Reactivity"
import { UserId } from "../src/domain/Score.ts"
import { commitIncrements } from "../src/services/Sql/SqlCommit.ts"
import { SqlLevels } from "../src/services/Sql/SqlLevels.ts"
import * as SqlLevelsPostgres from "../src/services/Sql/SqlLevelsPostgres.ts"
import { pageStatement, selectStanding, standingStatement } from "../src/services/Sql/SqlRanks.ts"
import { playersAboveBoth } from "../src/services/Sql/SqlRankNodes.ts"
import { wrongNodes } from "../src/services/Sql/SqlWrongNodes.ts"
import * as Postgres from "../test/support/engines/Postgres.ts"
import { batchOf, everyTenMillis, forSeconds, latencies, SERVER, somebody, times, told } from "./players.ts"
import { cpuOf, milliseconds, quantile, spread } from "./ranksStatistics.ts"

/** Look-ups of one kind in one round. */
const SAMPLES = 2000

/** Rounds of everything that is reported as a ratio. */
const ROUNDS = 5

/** Rounds of increments: the disk makes single rounds differ by a factor of two, and checkpoints favour later ones. */
const COMMIT_ROUNDS = 30

/** How long increments run in one round, with either form of the trigger. */
const COMMIT_SECONDS = 1

/** How long one round looks up ranks under load. */
const LOAD_SECONDS = 10

/** The rank alone: a player's score by its key, then the nodes. */
const rankOf = (sql: SqlClient.SqlClient, userId: UserId) => sql`
select 1 + first as rank
from (${playersAboveBoth(sql, sql`(select score from scores where user_id = ${userId} and not hidden)`, sql`null::bigint`)}) n`

const countRank = (sql: SqlClient.SqlClient, userId: UserId) => sql`
select 1 + count(*)::float8 as rank from scores
where not hidden and score > (select score from scores where user_id = ${userId})`

const explain = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, title: string, statement: Fragment) {
  const rows = yield* sql<{
    readonly "QUERY PLAN": string
  }>`explain (analyze, buffers, costs off) ${statement}`
  yield* Console.log([`\n#### ${title}\n`, "```", ...rows.map((row) => row["QUERY PLAN"]), "```"].join("\n"))
})

const idle = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, players: number) {
  const kinds = {
    "select 1": () => sql`select 1`,
    "rank of a random player": () => rankOf(sql, somebody(players)),
    "GET /scores/me, its statement": () =>
      selectStanding(sql, { userId: somebody(players), tokenId: "token" }),
  }
  const [middle] = yield* sql<{ readonly user_id: string }>`
select user_id from scores where not hidden order by score desc, reached, user_id offset ${Math.floor(players / 2)} limit 1`
  const mid = UserId.make(middle?.user_id ?? "")
  const all = new Map<string, Array<number>>()
  const ratios: Array<number> = []
  const counts: Array<number> = []
  for (let round = 0; round < ROUNDS; round++) {
    for (const [kind, call] of Object.entries(kinds)) {
      const samples = yield* latencies(call, times(SAMPLES))
      all.set(kind, [...(all.get(kind) ?? []), ...samples])
    }
    const looked = quantile(yield* latencies(() => rankOf(sql, mid), times(SAMPLES)), 0.5)
    const counted = quantile(yield* latencies(() => countRank(sql, mid), times(3)), 0.5)
    counts.push(counted)
    ratios.push(counted / looked)
  }
  for (const [kind, samples] of all) yield* Console.log(`idle, ${kind}: ${told(samples)}`)
  yield* Console.log(`count(*) of the middle player: ${spread(counts, 0)} ms`)
  yield* Console.log(`count(*) against the look-up, same player, same round: ${spread(ratios, 0)} times`)
})

const underLoad = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  commits: SqlClient.SqlClient,
  players: number,
) {
  const kinds = {
    "select 1": () => sql`select 1`,
    "rank of a random player": () => rankOf(sql, somebody(players)),
    "GET /scores/me, its statement": () =>
      selectStanding(sql, { userId: somebody(players), tokenId: "token" }),
  }
  for (const [kind, call] of Object.entries(kinds)) {
    const p99: Array<number> = []
    const p50: Array<number> = []
    const rates: Array<number> = []
    for (let round = 0; round < 3; round++) {
      const over = forSeconds(LOAD_SECONDS)
      // Ten increments every 10 ms on two connections.
      const increment = () =>
        commitIncrements(
          commits,
          batchOf(10, () => somebody(players)),
        )
      const [samples, calls] = yield* Effect.all([latencies(call, over), everyTenMillis(increment, over)], {
        concurrency: 2,
      })
      p50.push(quantile(samples, 0.5))
      p99.push(quantile(samples, 0.99))
      rates.push(calls * 10)
    }
    yield* Console.log(
      `under ${spread(rates, 0)} increments/s, ${kind}: p50 ${spread(p50, 3)} ms, p99 ${spread(p99, 2)} ms`,
    )
  }
})

const commitCost = Effect.fnUntraced(function* (commits: SqlClient.SqlClient, players: number) {
  const [server] = yield* commits<{ readonly pid: number; readonly definition: string }>`
select pg_backend_pid() as pid, pg_get_functiondef('scores_changed'::regproc) as definition`
  if (server === undefined) return
  const withNodes = commits.unsafe(server.definition)
  const withoutNodes =
    commits.unsafe(`create or replace function scores_changed() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then if exists (select from new_rows) then perform board_moved(); end if;
  elsif tg_op = 'UPDATE' then if exists (select from new_rows) then perform board_moved(); end if;
  end if;
  return null;
end $$`)
  const measure = Effect.gen(function* () {
    yield* commitIncrements(
      commits,
      batchOf(100, () => somebody(players)),
    )
    const cpu = cpuOf(server.pid)
    const begun = performance.now()
    let increments = 0
    while (performance.now() - begun < COMMIT_SECONDS * 1000) {
      yield* commitIncrements(
        commits,
        batchOf(100, () => somebody(players)),
      )
      increments += 100
    }
    return {
      cpuMicros: ((cpuOf(server.pid) - cpu) * 1000) / increments,
      rate: increments / ((performance.now() - begun) / 1000),
    }
  })
  const cpu: Array<number> = []
  const rate: Array<number> = []
  const plain: Array<number> = []
  const kept = Effect.andThen(withNodes, measure)
  const bare = Effect.andThen(withoutNodes, measure)
  for (let round = 0; round < COMMIT_ROUNDS; round++) {
    // Each form goes first in every second round.
    const [one, other] = yield* Effect.all(round % 2 === 0 ? [bare, kept] : [kept, bare])
    const [without, nodes] = round % 2 === 0 ? [one, other] : [other, one]
    cpu.push(nodes.cpuMicros / without.cpuMicros)
    rate.push(without.rate / nodes.rate)
    plain.push(nodes.rate)
  }
  yield* Console.log(`increments in batches of 100, one connection, with nodes: ${spread(plain, 0)} a second`)
  yield* Console.log(`CPU of the connection's server process, with nodes ÷ without: ${spread(cpu, 2)}`)
  yield* Console.log(`time per increment, with nodes ÷ without: ${spread(rate, 2)}`)
})

const plans = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, players: number) {
  const [tied] = yield* sql<{ readonly user_id: string; readonly cursor: string }>`
select user_id, score || '.' || reached || '.1' as cursor from scores where not hidden
order by score desc, reached, user_id offset ${Math.floor(players * 0.7)} limit 1`
  const userId = UserId.make(tied?.user_id ?? "")
  yield* explain(
    sql,
    "GET /scores/me, a player inside the largest tie",
    standingStatement(sql, { userId, tokenId: "token" }),
  )
  yield* explain(sql, "GET /scores/page, from the top", pageStatement(sql, { after: undefined, limit: 101 }))
  yield* explain(
    sql,
    "GET /scores/page, inside the largest tie",
    pageStatement(sql, { after: tied?.cursor, limit: 101 }),
  )
  yield* explain(sql, "Rank alone", rankOf(sql, userId))
  yield* explain(sql, "ranks verify", wrongNodes(sql))
})

const seconds = (elapsed: number) => (elapsed / 1000).toFixed(1)

/**
 * Measures ranks among synthetic players, on a PostgreSQL of its own in a temporary folder: about 3 GB for ten million.
 * `--players` (10 million). Prints one line per figure, then the plans.
 */
export const main = (args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { values } = parseArgs({
      args: [...args],
      options: { players: { type: "string", default: "10000000" } },
    })
    const players = Number(values.players)
    const { url } = yield* Postgres.make({ settings: SERVER })
    const levels = yield* Effect.map(Layer.build(SqlLevelsPostgres.layerFrom(url)), Context.get(SqlLevels))
    const sql = yield* PgClient.make({ url, maxConnections: 1 })
    const startupParameters = { plan_cache_mode: "force_generic_plan" }
    const commits = yield* PgClient.make({ url, maxConnections: 2, startupParameters })
    const committer = yield* PgClient.make({ url, maxConnections: 1, startupParameters })

    const generated = yield* milliseconds(levels.generate({ players, besideRealPlayers: false }))
    yield* Console.log(`${players} players generated, indexed and analyzed: ${seconds(generated)} s`)
    yield* Console.log(`verify: ${seconds(yield* milliseconds(levels.verify))} s`)
    yield* sql`truncate rank_node`
    yield* Console.log(
      `repair from empty nodes (what the migration does): ${seconds(yield* milliseconds(levels.repair))} s`,
    )
    yield* sql`vacuum (analyze) rank_node`
    const [size] = yield* sql<{ readonly nodes: number; readonly bytes: string }>`
select count(*)::int as nodes, pg_size_pretty(pg_total_relation_size('rank_node')) as bytes from rank_node`
    yield* Console.log(`rank_node: ${size?.nodes} rows, ${size?.bytes}`)

    yield* idle(sql, players)
    yield* underLoad(sql, commits, players)
    yield* commitCost(committer, players)
    const { repaired, after } = yield* levels.repair
    yield* Console.log(
      `repair of what the rounds without nodes left: ${repaired} mended, ${after.wrong} wrong`,
    )
    yield* plans(sql, players)
  }).pipe(Effect.scoped, Effect.provide(Reactivity.layer))

if (import.meta.main) NodeRuntime.runMain(main(process.argv.slice(2)))
