import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as SqlClient from "effect/sql/SqlClient"
import { type Address, toDriver } from "./SqlAddress.ts"
import { missingOf, readSchema, TABLE } from "./SqlApplied.ts"
import { MIGRATOR, waitingForLocks, waitingForTable, waitingForTransactions } from "./SqlLockWait.ts"
import { CONNECT_TIMEOUT, known, type Migration } from "./SqlMigrations.ts"
import { retrying } from "./SqlPasswordFile.ts"

const connect = (address: Address) =>
  PgClient.make({
    ...toDriver(address),
    maxConnections: 1,
    applicationName: MIGRATOR,
    connectTimeout: CONNECT_TIMEOUT,
  })

/** Opens the first connection to a database, and reads its schema on it. */
const readFirst = (address: Address, sql: SqlClient.SqlClient) =>
  retrying(address.passwordFile)(readSchema(sql))

/** Two that are first at once both create it, and one of them is refused. */
const createTable = (sql: SqlClient.SqlClient) =>
  sql`create table if not exists ${sql(TABLE)} (
  migration_id integer primary key,
  created_at timestamp with time zone not null default now(),
  name text not null
)`.pipe(
    Effect.catch((error) =>
      Effect.flatMap(sql`select 1 where to_regclass(${TABLE}) is not null`, ([found]) =>
        found === undefined ? Effect.fail(error) : Effect.void,
      ),
    ),
  )

const record = (sql: SqlClient.SqlClient, { id, name }: Migration) =>
  sql`insert into ${sql(TABLE)} (migration_id, name) values (${id}, ${name})`

/** The connections of a migration. */
interface Connections {
  /** For the work. */
  readonly sql: SqlClient.SqlClient
  /**
   * Has the lock of whoever migrates, in a transaction that says nothing until it ends: a concurrent build of an index
   * waits for the end of every transaction that has a snapshot at the wrong moment.
   */
  readonly guard: SqlClient.SqlClient
  /** Sees who holds the work up. */
  readonly watcher: SqlClient.SqlClient
}

/** Applies one migration and records it. */
const apply = Effect.fnUntraced(function* ({ sql, watcher }: Connections, migration: Migration) {
  const run = Effect.provideService(migration.run, SqlClient.SqlClient, sql)
  const wait = { what: migration.label, watcher }
  if (migration.inTransaction) {
    yield* waitingForLocks(sql, wait, Effect.andThen(run, record(sql, migration)))
  } else {
    yield* waitingForTransactions(sql, wait, run)
    yield* record(sql, migration)
  }
})

/**
 * Applies what is missing, one process at a time. The lock that sees to that, on the table of applied migrations, lets
 * everybody read it and `pg_dump` copy it, and keeps out the migrator of earlier releases. Nobody waits for it inside a
 * statement: such a statement may have a snapshot, and then the owner's index would wait for it.
 */
const applyMissing = Effect.fnUntraced(function* (connections: Connections) {
  const { guard, sql } = connections
  yield* createTable(guard)
  return yield* waitingForTable(
    guard,
    { what: "the migrations of another process", table: TABLE },
    Effect.gen(function* () {
      yield* guard`lock table ${guard(TABLE)} in share update exclusive mode nowait`
      const missing = new Set(missingOf(yield* readSchema(sql)))
      const migrations = known.filter(({ label }) => missing.has(label))
      yield* Effect.forEach(migrations, (migration) => apply(connections, migration), { discard: true })
      const applied = migrations.map(({ label }) => label)
      // An empty database has nothing to report.
      if (applied.length > 0 && applied.length < known.length) {
        yield* Effect.annotateLogs(Effect.logInfo("Migrations were applied"), { migrations: applied })
      }
      return applied
    }),
  )
})

/** Wraps the work of a migration, which may take minutes. */
export type Around = <A, E, R>(migrating: Effect.Effect<A, E, R>) => Effect.Effect<A, unknown, R>

/** What is done about a schema that lacks something. */
export type WhenMissing = "migrate" | "check"

/**
 * Sees to it that the schema has everything that this code needs; it may have more. Looks first, and takes no lock when
 * nothing is missing. `around` wraps the work when there is some. Gives the labels of what was applied.
 */
export const ensureSchema = (address: Address, whenMissing: WhenMissing, around: Around) =>
  Effect.gen(function* () {
    const sql = yield* connect(address)
    const missing = missingOf(yield* readFirst(address, sql))
    if (missing.length === 0) return missing
    if (whenMissing === "check") {
      return yield* Effect.fail(
        new Error(
          `its schema is older than this release and lacks ${missing.join(", ")}; run \`npm run admin -- migrate\``,
        ),
      )
    }
    const migrating = Effect.gen(function* () {
      return yield* applyMissing({ sql, guard: yield* connect(address), watcher: yield* connect(address) })
    })
    return yield* around(migrating)
  }).pipe(
    Effect.scoped,
    // The driver dies when it loses a connection while it rolls back.
    Effect.catchDefect((defect) => Effect.fail(defect)),
    Effect.provide(Reactivity.layer),
  )

/** Every migration, as this code and the database know it. */
export const schemaStatus = (address: Address) =>
  Effect.flatMap(connect(address), (sql) => readFirst(address, sql)).pipe(
    Effect.scoped,
    Effect.provide(Reactivity.layer),
  )
