import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, layer } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { explain } from "../../../../src/programs/process/Startup.ts"
import { atUrl } from "../../../../src/services/Sql/SqlAddress.ts"
import * as SqlDatabase from "../../../../src/services/Sql/SqlDatabase.ts"
import { waitingForLocks } from "../../../../src/services/Sql/SqlLockWait.ts"
import { ensureSchema } from "../../../../src/services/Sql/SqlMigrator.ts"
import { known } from "../../../../src/services/Sql/SqlMigrations.ts"
import { SqlUpkeep } from "../../../../src/services/Sql/SqlUpkeep.ts"
import * as SqlUpkeepPostgres from "../../../../src/services/Sql/SqlUpkeepPostgres.ts"
import { until } from "../../../support/fixtures.ts"
import { by, Engine, logged, operatorOn, serviceOn, setup } from "./fixtures.ts"

const OPTIONS = { timeout: "20 seconds", excludeTestServices: true } as const

/** What `pg_dump` does: a snapshot and a weak lock on every table, until the scope closes. */
const backup = Effect.fnUntraced(function* (url: Redacted.Redacted) {
  const context = yield* Layer.build(PgClient.layer({ url, maxConnections: 1, applicationName: "pg_dump" }))
  const sql = Context.get(context, PgClient.PgClient)
  yield* sql`set idle_in_transaction_session_timeout = 0`
  const reads = yield* Deferred.make<void>()
  const end = yield* Deferred.make<void>()
  const session = yield* Effect.forkScoped(
    sql.withTransaction(
      Effect.gen(function* () {
        yield* sql`set transaction isolation level repeatable read`
        const tables = yield* sql<{ readonly name: string }>`
select tablename as name from pg_tables where schemaname = 'public'`
        for (const { name } of tables) yield* sql`lock table ${sql(name)} in access share mode`
        yield* Deferred.succeed(reads, undefined)
        yield* Deferred.await(end)
      }),
    ),
  )
  yield* Deferred.await(reads)
  return { end: Effect.andThen(Deferred.succeed(end, undefined), Fiber.join(session)) }
})

/** Takes back the migration that builds indexes outside of a transaction, as in a database of an earlier release. */
const older = (operator: PgClient.PgClient) =>
  Effect.gen(function* () {
    yield* operator`delete from effect_sql_migrations where migration_id = 5`
    yield* operator`drop index users_email, outbox_due`
  })

const indexes = (operator: PgClient.PgClient) => operator<{ readonly name: string }>`
select relname as name from pg_index join pg_class on pg_class.oid = indexrelid
where relname in ('users_email', 'outbox_due') and indisvalid order by 1`
const BOTH = [{ name: "outbox_due" }, { name: "users_email" }]

/** The start of a process with this environment. */
const startWith = (env: Readonly<Record<string, string>>) =>
  Layer.build(SqlDatabase.layer).pipe(
    Effect.scoped,
    Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(env))),
  )

layer(Engine.layer, OPTIONS)("The migrations", (it) => {
  it.effect("a backup is seen as the oldest snapshot while it runs", () =>
    Effect.gen(function* () {
      const { url } = yield* setup
      const upkeep = Context.get(yield* Layer.build(SqlUpkeepPostgres.layerFrom(url)), SqlUpkeep)
      const names = Effect.map(upkeep.oldestSnapshot, (oldest) => oldest?.name)
      const dump = yield* backup(url)
      const oldest = yield* upkeep.oldestSnapshot
      assert.strictEqual(oldest?.name, "pg_dump")
      assert.isAtLeast(oldest?.seconds ?? -1, 0)
      assert.isNumber(oldest?.pid)
      yield* dump.end
      yield* until("no backup", names, (name) => name !== "pg_dump")
    }),
  )

  it.effect("a process starts while a backup reads every table", () =>
    Effect.gen(function* () {
      const { url } = yield* setup
      yield* backup(url)
      const again = yield* serviceOn(url)
      yield* again.increment([by("ada")])
    }),
  )

  it.effect(
    "name the backup that they wait for, hold up nobody meanwhile, and are applied when it ends",
    () =>
      Effect.gen(function* () {
        const { url, sql, operator } = yield* setup
        yield* older(operator)
        // Settings for the work of every day; a migration has its own.
        const database = new URL(Redacted.value(url)).pathname.slice(1)
        for (const limit of ["lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"]) {
          yield* operator`alter database ${operator(database)} set ${operator(limit)} = '400ms'`
        }
        yield* operator`alter database ${operator(database)} set default_transaction_isolation = 'repeatable read'`
        const dump = yield* backup(url)
        const { lines, work } = logged(ensureSchema(atUrl(url), "migrate", identity))
        const migrating = yield* Effect.forkScoped(work)
        yield* until(
          "a warning",
          Effect.sync(() => lines.join("\n")),
          (text) => text.includes("pg_dump"),
        )
        assert.include(lines.join("\n"), "0005_avoid_scans")
        assert.notMatch(lines.join("\n"), /lock table|access share/i)
        for (let n = 0; n < 20; n++) yield* sql.increment([by("ada")])
        yield* sql.register(by("ada").userId, "ada@example.org")
        yield* dump.end
        assert.deepStrictEqual(yield* Fiber.join(migrating), ["0005_avoid_scans"])
        assert.deepStrictEqual(yield* indexes(operator), BOTH)
      }),
  )

  it.effect("that need a table for themselves hold up no commit while they wait for it", () =>
    Effect.gen(function* () {
      const { url, sql, operator } = yield* setup
      const watcher = yield* operatorOn(url)
      const dump = yield* backup(url)
      const { lines, work } = logged(
        Effect.flatMap(
          Layer.build(PgClient.layer({ url, maxConnections: 1, applicationName: "scoreboard migrate" })),
          (context) => {
            const migrator = Context.get(context, PgClient.PgClient)
            return waitingForLocks(
              migrator,
              { what: "a column", watcher },
              migrator`alter table scores add column probe int`,
            )
          },
        ),
      )
      const migrating = yield* Effect.forkScoped(work)
      yield* until(
        "a warning",
        Effect.sync(() => lines.join("\n")),
        (text) => text.includes("pg_dump"),
      )
      // Over several attempts, each of which would fail a commit that waits for it for longer than its limit.
      for (let n = 0; n < 30; n++) {
        yield* sql.increment([by("ada")])
        yield* Effect.sleep("100 millis")
      }
      yield* dump.end
      yield* Fiber.join(migrating)
      assert.deepStrictEqual(yield* operator`select probe from scores`, [{ probe: null }])
    }),
  )

  it.effect("are applied once by processes that start at once on an empty database", () =>
    Effect.gen(function* () {
      const url = yield* (yield* Engine).freshDatabase
      const starts = yield* Effect.forEach(
        Array.from({ length: 4 }),
        () => ensureSchema(atUrl(url), "migrate", identity),
        { concurrency: "unbounded" },
      )
      assert.strictEqual(starts.flat().length, known.length)
      assert.strictEqual(new Set(starts.flat()).size, known.length)
    }),
  )

  it.effect("build an index anew that an attempt left half built", () =>
    Effect.gen(function* () {
      const { url, operator } = yield* setup
      yield* older(operator)
      const dump = yield* backup(url)
      const attempt = yield* Effect.forkChild(ensureSchema(atUrl(url), "migrate", identity))
      const invalid = operator`select 1 from pg_index where not indisvalid`
      yield* until("an index that is not valid", invalid, (rows) => rows.length > 0)
      yield* Fiber.interrupt(attempt)
      yield* dump.end
      yield* ensureSchema(atUrl(url), "migrate", identity)
      assert.deepStrictEqual(yield* indexes(operator), BOTH)
      assert.deepStrictEqual(yield* invalid, [])
    }),
  )

  it.effect("are only checked where MIGRATIONS says so: one line names what is missing", () =>
    Effect.gen(function* () {
      const { url, operator } = yield* setup
      const env = { DATABASE_URL: Redacted.value(url), MIGRATIONS: "check" }
      yield* startWith(env)
      yield* older(operator)
      const line = explain(yield* Effect.flip(startWith(env)))
      assert.match(line, /^[^\n]*older than this release and lacks 0005_avoid_scans[^\n]*admin -- migrate`$/)
      assert.deepStrictEqual(yield* indexes(operator), [])
      yield* startWith({ ...env, MIGRATIONS: "migrate" })
      assert.deepStrictEqual(yield* indexes(operator), BOTH)
    }),
  )

  it.effect("that a newer release applied let an older one start", () =>
    Effect.gen(function* () {
      const { url, operator } = yield* setup
      yield* operator`insert into effect_sql_migrations (migration_id, name) values (9999, 'of_the_future')`
      yield* startWith({ DATABASE_URL: Redacted.value(url), MIGRATIONS: "check" })
      yield* startWith({ DATABASE_URL: Redacted.value(url) })
    }),
  )
})
