import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"
import * as SqlClient from "effect/sql/SqlClient"
import * as Reactivity from "effect/reactivity/Reactivity"
import { parseArgs } from "node:util"
import { UserId } from "../src/domain/Score.ts"
import { commitIncrements } from "../src/services/Sql/SqlCommit.ts"
import { MIGRATOR } from "../src/services/Sql/SqlLockWait.ts"
import { known } from "../src/services/Sql/SqlMigrations.ts"
import { atUrl } from "../src/services/Sql/SqlAddress.ts"
import { ensureSchema } from "../src/services/Sql/SqlMigrator.ts"
import { COMMIT_LOCK_TIMEOUT_MILLIS, STATEMENT_TIMEOUT_MILLIS } from "../src/services/Sql/SqlSettings.ts"
import * as Postgres from "../test/support/engines/Postgres.ts"
import { SERVER } from "./players.ts"
import { quantile } from "./figures.ts"

/**
 * `node bench/widening.ts [--rows n] [--seconds n]`: what the migration that widens the amounts of the history costs, with
 * so many rows of history and increments beside it: once after the load, and once while another transaction reads the
 * history as `pg_dump` does. Needs 250 bytes of disk per row, in a temporary folder.
 */
const { values } = parseArgs({
  options: { rows: { type: "string", default: "100000000" }, seconds: { type: "string", default: "10" } },
})
const rows = Number(values.rows)
const seconds = Number(values.seconds)

const PLAYERS = 100_000
const WRITERS = 3
/** Rows of one statement of the load. */
const CHUNK = 5_000_000
/** How often the locks are looked at: the resolution of their times. */
const LOOK_MILLIS = 5

const playerAt = (n: number) => UserId.make(`player-${String(n).padStart(8, "0")}`)

/** The migrations before the one that widens the amounts, as an earlier release left them. */
const earlierRelease = Effect.fnUntraced(function* (sql: PgClient.PgClient) {
  yield* sql`create table effect_sql_migrations (
    migration_id integer primary key, created_at timestamptz not null default now(), name text not null)`
  const until = known.findIndex(({ name }) => name === "widen_amounts")
  for (const { id, name, run } of known.slice(0, until)) {
    yield* Effect.provideService(run, SqlClient.SqlClient, sql)
    yield* sql`insert into effect_sql_migrations (migration_id, name) values (${id}, ${name})`
  }
})

/** Players with equally long histories, in the order of the table's index, with the triggers off. */
const load = Effect.fnUntraced(function* (sql: PgClient.PgClient) {
  const each = Math.ceil(rows / PLAYERS)
  yield* sql`set session_replication_role = replica`
  yield* sql`
insert into users (id, email) select 'player-' || lpad(n::text, 8, '0'), 'player-' || n || '@example.com' from generate_series(0, ${PLAYERS - 1}::int) n`
  yield* sql`insert into scores (user_id, score, reached) select id, ${each}, nextval('event_id') from users order by id`
  for (let from = 0; from < rows; from += CHUNK) {
    yield* sql`
insert into score_events (user_id, id, key, amount, score_after)
  select 'player-' || lpad((n / ${each}::bigint)::text, 8, '0'), n + 1, md5(n::text), 1, n % ${each}::bigint + 1
  from generate_series(${from}::bigint, ${Math.min(from + CHUNK, rows) - 1}::bigint) n`
    console.log(`${Math.min(from + CHUNK, rows)} rows`)
  }
  yield* sql`select setval('event_id', ${rows + PLAYERS}::bigint + 1)`
  yield* sql`set session_replication_role = origin`
  yield* sql`checkpoint`
})

interface Increment {
  readonly at: number
  readonly millis: number
  readonly failed: boolean
}

/** Increments of random players, one after the other on each connection, until interrupted. */
const increments = (sql: PgClient.PgClient, took: Array<Increment>) =>
  Effect.all(
    Array.from({ length: WRITERS }, () =>
      Effect.forever(
        Effect.gen(function* () {
          const userId = playerAt(Math.floor(Math.random() * PLAYERS))
          const started = performance.now()
          const failed = yield* commitIncrements(sql, [
            { userId, email: undefined, key: undefined, tokenId: undefined },
          ]).pipe(Effect.isFailure)
          took.push({ at: started, millis: performance.now() - started, failed })
          yield* Effect.sleep("10 millis")
        }),
      ),
    ),
    { concurrency: "unbounded", discard: true },
  )

/** Sees who waits for the lock on the history, or has it, until interrupted. */
const watchLock = (sql: PgClient.PgClient, seen: Array<readonly [at: number, granted: boolean]>) =>
  Effect.forever(
    Effect.gen(function* () {
      const locks = yield* sql<{ readonly granted: boolean }>`
select granted from pg_locks join pg_stat_activity using (pid)
where relation = 'score_events'::regclass and mode = 'AccessExclusiveLock' and application_name = ${MIGRATOR}`
      const [lock] = locks
      if (lock !== undefined) seen.push([performance.now(), lock.granted])
      yield* Effect.sleep(LOOK_MILLIS)
    }),
  )

/** The longest stretch of looks without a pause. */
const longest = (times: ReadonlyArray<number>) => {
  let [best, from, last] = [0, Number.NaN, Number.NaN]
  for (const at of times) {
    if (!(at - last < 50)) from = at
    last = at
    best = Math.max(best, at - from)
  }
  return best
}

const told = (samples: ReadonlyArray<Increment>) => {
  const sorted = samples.map(({ millis }) => millis).toSorted((a, b) => a - b)
  return `${sorted.length} increments, ${samples.filter(({ failed }) => failed).length} failed, p50 ${quantile(sorted, 0.5).toFixed(1)}, p99 ${quantile(sorted, 0.99).toFixed(1)}, longest ${quantile(sorted, 1).toFixed(1)} ms`
}

interface Clients {
  readonly url: Parameters<typeof ensureSchema>[0]
  readonly operator: PgClient.PgClient
  readonly writers: PgClient.PgClient
}

/** Migrates beside increments, and beside whatever `beside` does meanwhile. */
const migrate = Effect.fnUntraced(function* (
  title: string,
  { url, operator, writers }: Clients,
  beside: Effect.Effect<unknown, unknown>,
) {
  const size = operator<{ readonly file: string; readonly mb: number }>`
select pg_relation_filepath('score_events') as file, (pg_total_relation_size('score_events') / 1e6)::float8 as mb`
  const took: Array<Increment> = []
  const seen: Array<readonly [number, boolean]> = []
  const writing = yield* Effect.forkChild(increments(writers, took))
  const watching = yield* Effect.forkChild(watchLock(operator, seen))
  const [before] = yield* size
  yield* Effect.sleep(`${seconds} seconds`)
  const other = yield* Effect.forkChild(beside)
  yield* Effect.sleep("1 seconds")
  const started = performance.now()
  const applied = yield* ensureSchema(url, "migrate", identity)
  const ended = performance.now()
  yield* Fiber.join(other)
  yield* Effect.sleep(`${seconds} seconds`)
  yield* Fiber.interrupt(watching)
  yield* Fiber.interrupt(writing)
  const [after] = yield* size
  const during = took.filter(({ at, millis }) => at + millis > started - 50 && at < ended + 50)
  const when = (granted: boolean) => seen.filter(([, is]) => is === granted).map(([at]) => at)
  console.log(
    [
      `\n${title}: ${applied.join(", ")}`,
      `took ${(ended - started).toFixed(0)} ms; lock waited for at most ${longest(when(false)).toFixed(0)} ms at a time, held at most ${longest(when(true)).toFixed(0)} ms (looked every ${LOOK_MILLIS} ms)`,
      `before: ${told(took.filter(({ at }) => at < started - 50))}`,
      `during, and 50 ms around it: ${told(during)}`,
      `after: ${told(took.filter(({ at }) => at > ended + 50))}`,
      `table ${before?.mb.toFixed(0)} MB before, ${after?.mb.toFixed(0)} MB after; rewritten: ${before?.file !== after?.file}`,
    ].join("\n"),
  )
})

/** Takes the migration back, so that it can be measured once more. */
const takeBack = Effect.fnUntraced(function* (sql: PgClient.PgClient) {
  const ids = known.slice(known.findIndex(({ name }) => name === "widen_amounts")).map(({ id }) => id)
  yield* sql`delete from effect_sql_migrations where migration_id = any (${`{${ids.join()}}`}::int[])`
  yield* sql`drop function reached_without`
  yield* sql`drop table operator_keys`
  yield* sql`alter table score_events drop column points, drop column undoes, drop column reached_before,
    drop constraint score_events_kind_check, drop constraint if exists score_events_points_check,
    add constraint score_events_kind_check check (kind in ('increment', 'hidden', 'restored', 'corrected', 'signed-out')) not valid`
})

const program = Effect.gen(function* () {
  const engine = yield* Postgres.make({ settings: SERVER })
  const { url } = engine
  const operator = yield* PgClient.make({ url, maxConnections: 2 })
  const loader = yield* PgClient.make({ url, maxConnections: 1 })
  const writers = yield* PgClient.make({
    url,
    maxConnections: WRITERS,
    startupParameters: {
      lock_timeout: String(COMMIT_LOCK_TIMEOUT_MILLIS),
      statement_timeout: String(STATEMENT_TIMEOUT_MILLIS),
    },
  })
  yield* earlierRelease(loader)
  const loading = performance.now()
  yield* load(loader)
  console.log(`loaded in ${((performance.now() - loading) / 1000).toFixed(0)} s`)
  const clients = { url: atUrl(url), operator, writers }
  yield* migrate("After the load, usually beside its autovacuum", clients, Effect.void)
  yield* takeBack(loader)
  const dump = loader.withTransaction(
    Effect.andThen(loader`lock table score_events in access share mode`, Effect.sleep("10 seconds")),
  )
  yield* migrate("Beside a transaction of 10 s that reads the history", clients, dump)
})

program.pipe(Effect.scoped, Effect.provide(Reactivity.layer), NodeRuntime.runMain())
