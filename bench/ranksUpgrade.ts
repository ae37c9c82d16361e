import { randomUUID } from "node:crypto"
import { execFile } from "node:child_process"
import { join, resolve } from "node:path"
import { performance } from "node:perf_hooks"
import { parseArgs, promisify } from "node:util"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as SqlClient from "effect/sql/SqlClient"
import * as FakeCognito from "../test/support/engines/FakeCognito.ts"
import * as Postgres from "../test/support/engines/Postgres.ts"
import { mint } from "../test/support/engines/TokenIssuer.ts"
import { playerAt, SERVER, somebody } from "./players.ts"
import { quantile } from "./ranksStatistics.ts"
import { checkout, start } from "./system.ts"

/**
 * `node bench/ranksUpgrade.ts --from <checkout> [--players n] [--rate n] [--seconds n]`: an API process of an earlier release runs on a
 * database of its own with so many synthetic players, under increments, while this release migrates the database, a
 * larger change is made, the earlier release's commands for ranks are tried, and its ranks are retired; so many seconds are between. Says how long
 * each step took, what the old process answered, how long an increment and a lock were waited for, and how many ranks of
 * a sample differed from a count in the same snapshot. Linux.
 */
const { values } = parseArgs({
  options: {
    from: { type: "string" },
    players: { type: "string", default: "1000000" },
    rate: { type: "string", default: "200" },
    seconds: { type: "string", default: "15" },
  },
})
const players = Number(values.players)
const ROOT = resolve(import.meta.dirname, "..")
const run = promisify(execFile)

/** What callers of one path saw: how often each status, and how long they waited. */
interface Seen {
  readonly statuses: Map<string, number>
  readonly millis: Array<number>
}

const told = ({ statuses, millis }: Seen) =>
  `${[...statuses].map(([status, count]) => `${count} × ${status}`).join(", ")}; ` +
  `p50 ${quantile(millis, 0.5).toFixed(1)} ms, p99 ${quantile(millis, 0.99).toFixed(0)} ms, longest ${Math.max(...millis).toFixed(0)} ms`

const makeCallers = (port: number, issuer: string) => {
  const now = Math.floor(Date.now() / 1000)
  const tokenOf = (sub: string) =>
    mint(FakeCognito.key, {
      sub,
      iss: issuer,
      token_use: "access",
      client_id: FakeCognito.CLIENT,
      jti: randomUUID(),
      iat: now,
      exp: now + 7200,
    })
  const callers = Array.from({ length: 500 }, () => tokenOf(somebody(players)))
  const paths = {
    "POST /scores/increment": { method: "POST", perSecond: Number(values.rate) },
    "GET /scores/me": { method: "GET", perSecond: 20 },
    "GET /scores/page?limit=100": { method: "GET", perSecond: 2 },
  }
  let seen = new Map<string, Seen>()
  const call = async (path: string, method: string) => {
    const token = callers[Math.floor(Math.random() * callers.length)]
    const begun = performance.now()
    const answer = await fetch(`http://127.0.0.1:${port}${path.split(" ")[1]}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "idempotency-key": randomUUID() },
    }).catch(() => undefined)
    await answer?.arrayBuffer()
    const here = seen.get(path) ?? { statuses: new Map<string, number>(), millis: [] }
    seen.set(path, here)
    const status = String(answer?.status ?? "no answer")
    here.statuses.set(status, (here.statuses.get(status) ?? 0) + 1)
    here.millis.push(performance.now() - begun)
  }
  const timers = Object.entries(paths).map(([path, { method, perSecond }]) =>
    setInterval(() => void call(path, method), 1000 / perSecond),
  )
  return {
    /** What was seen since the last time. */
    take: () => {
      const taken = seen
      seen = new Map()
      return taken
    },
    end: () => timers.forEach(clearInterval),
  }
}

/** Watches for how long anybody waits for a lock of a table or a row. */
const makeLockWatch = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  let longest = 0
  yield* Effect.forkScoped(
    Effect.forever(
      Effect.gen(function* () {
        const rows = yield* sql<{ readonly ms: number }>`
select coalesce(max(extract(epoch from clock_timestamp() - waitstart) * 1000), 0)::float8 as ms from pg_locks
where not granted and pid not in (select pid from pg_stat_activity where application_name = 'scoreboard migrate' and wait_event = 'advisory')`
        longest = Math.max(longest, rows[0]?.ms ?? 0)
        yield* Effect.sleep("5 millis")
      }),
    ),
  )
  return () => {
    const taken = longest
    longest = 0
    return taken
  }
})

/** How many of the ranks of 50 scores that an old process looks up differ from a count in the same snapshot. */
const wrongOldRanks = (sql: SqlClient.SqlClient) =>
  sql<{ readonly wrong: number }>`
with c as materialized (select score, count(*) as n from scores where not hidden group by score),
r as (select score, coalesce(sum(n) over (order by score desc rows between unbounded preceding and 1 preceding), 0) as above from c)
select count(*)::int as wrong from (select * from r order by hashint8(score) limit 50) r
where above <> (select coalesce(sum(players), 0)::float8 from players_at_least where score = r.score + 1)`.pipe(
    Effect.map(([row]) => `${row?.wrong} of 50 ranks wrong`),
    Effect.orElseSucceed(() => "refused"),
  )

const program = Effect.gen(function* () {
  if (values.from === undefined) throw new Error("--from names a checkout with its dependencies")
  const from = resolve(values.from)
  const identity = yield* FakeCognito.make
  const { url } = yield* Postgres.make({ settings: { ...SERVER, max_connections: "150" } })
  const env = { PATH: process.env["PATH"], DATABASE_URL: Redacted.value(url) }
  const admin = (folder: string, ...args: ReadonlyArray<string>) =>
    Effect.promise(() =>
      run(process.execPath, [join(folder, "src/main-admin.ts"), ...args], { cwd: folder, env }).then(
        ({ stdout }) => stdout.trim(),
        (error: unknown) =>
          typeof error === "object" && error !== null && "stderr" in error
            ? `refused: ${String(error.stderr).trim().slice(0, 300)}`
            : "failed",
      ),
    )
  const system = yield* start({
    implementation: checkout(from),
    databaseUrl: url,
    identity: identity.env,
    players: [],
    profiles: undefined,
  })
  yield* Console.log(yield* admin(from, "generate", "--players", values.players))
  const sql = yield* PgClient.make({ url, maxConnections: 2 })
  const locks = yield* makeLockWatch(yield* PgClient.make({ url, maxConnections: 1 }))
  const callers = makeCallers(system.port, identity.env.COGNITO_ISSUER)
  yield* Effect.addFinalizer(() => Effect.sync(callers.end))

  const step = Effect.fnUntraced(function* (name: string, work: Effect.Effect<unknown, unknown>) {
    yield* wrongOldRanks(sql)
    callers.take()
    locks()
    const begun = performance.now()
    const result = yield* work
    yield* Console.log(`\n${name}: ${((performance.now() - begun) / 1000).toFixed(1)} s; ${String(result)}`)
    yield* Console.log(`  longest wait for a lock: ${locks().toFixed(0)} ms`)
    for (const [path, seen] of callers.take()) yield* Console.log(`  ${path}: ${told(seen)}`)
    yield* Console.log(`  an old look-up: ${yield* wrongOldRanks(sql)}`)
  })

  const wait = Effect.as(Effect.sleep(Number(values.seconds) * 1000), "")
  yield* step("before", wait)
  yield* step("migrate", admin(ROOT, "migrate"))
  yield* step("after", wait)
  yield* step("verify, this release", admin(ROOT, "ranks", "verify"))
  yield* step("ranks repair, the earlier release", admin(from, "ranks", "repair"))
  yield* step(
    "one player to 2^53 - 1",
    sql`update scores set score = 9007199254740991 where user_id = ${playerAt(1)}`.pipe(Effect.as("")),
  )
  yield* step("after it", wait)
  yield* step("ranks repair, the earlier release", admin(from, "ranks", "repair"))
  yield* step("verify, this release", admin(ROOT, "ranks", "verify"))
  yield* step("ranks retire", admin(ROOT, "ranks", "retire"))
  yield* step("after it", wait)
  yield* step("verify, this release", admin(ROOT, "ranks", "verify"))
}).pipe(Effect.scoped, Effect.provide(Reactivity.layer))

if (import.meta.main) NodeRuntime.runMain(program)
