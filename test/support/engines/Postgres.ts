import { existsSync } from "node:fs"
import { cp, mkdtemp, rename, rm } from "node:fs/promises"
import { join } from "node:path"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as SqlError from "effect/sql/SqlError"
import {
  EmbeddedPostgres,
  type EmbeddedPostgresFailure,
  type EmbeddedPostgresOptions,
} from "../../../src/services/EmbeddedPostgres/EmbeddedPostgres.ts"
import { temporaryFolder } from "../fixtures.ts"
import { engineFolder, runFolder } from "./runFolder.ts"

/** A PostgreSQL 18 cluster of a test or a benchmark: real, empty, gone with its scope. */
export interface PostgresEngine {
  /** The database `scoreboard`, empty at first. The same over `stop` and `start`. */
  readonly url: Redacted.Redacted
  /** Makes another empty database and gives its connection string; only while the server runs. */
  readonly freshDatabase: Effect.Effect<Redacted.Redacted, SqlError.SqlError>
  /** Stops the server, so that connections are refused; without effect when it is stopped. */
  readonly stop: Effect.Effect<void>
  /** Ends it at once, without a checkpoint and without a word to its clients; `start` replays its log. */
  readonly crash: Effect.Effect<void, SqlError.SqlError>
  /** Starts it again on the same port with the same data; without effect when it runs. */
  readonly start: Effect.Effect<void, EmbeddedPostgresFailure>
}

/** A test does not outlive a power failure: no waiting for the disk. */
const FAST_SETTINGS = { fsync: "off", synchronous_commit: "off", full_page_writes: "off" }

/** A server of tests and benchmarks says only what is wrong. */
const startServer = (options: EmbeddedPostgresOptions) =>
  Effect.provideService(EmbeddedPostgres.start(options), References.MinimumLogLevel, "Warn")

/**
 * The data directory of a server that was started and stopped once, for all clusters of a test run to begin as a
 * copy of it: most of a first start is making the cluster. Two that are made at once are as good as one.
 */
const template = Effect.fnUntraced(function* (run: string) {
  const path = join(run, "template")
  if (existsSync(path)) return path
  const making = yield* Effect.promise(() => mkdtemp(join(run, "making-")))
  yield* Effect.scoped(startServer({ dataDir: making, settings: FAST_SETTINGS }))
  yield* Effect.promise(() => rename(making, path).catch(() => rm(making, { recursive: true })))
  return path
})

/** Where a server of tests keeps its data: whole already in a test run, empty outside of one. */
const fastDirectory = Effect.gen(function* () {
  const dataDir = yield* engineFolder("scoreboard-postgres-")
  const run = runFolder()
  if (run !== undefined) {
    const whole = yield* template(run)
    yield* Effect.promise(() => cp(whole, dataDir, { recursive: true }))
  }
  return dataDir
})

/**
 * Starts a cluster in a temporary folder, through the code of `npm start`. One per test file, with a
 * `freshDatabase` per test, is about right. `settings` replace the fast ones of tests: a benchmark passes `{}`
 * for a server that writes to the disk before it answers.
 */
export const make = Effect.fnUntraced(function* (
  options: { readonly settings?: Readonly<Record<string, string>> } = {},
) {
  const settings = options.settings ?? FAST_SETTINGS
  const dataDir = yield* options.settings === undefined ? fastDirectory : temporaryFolder
  let running: Scope.Closeable | undefined

  const startOn = (port: number | undefined) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { url } = yield* startServer({
        dataDir,
        settings,
        ...(port === undefined ? {} : { port }),
      }).pipe(
        Scope.provide(scope),
        Effect.onError(() => Scope.close(scope, Exit.void)),
      )
      running = scope
      return url
    })

  const stop = Effect.suspend(() => {
    const scope = running
    running = undefined
    return scope === undefined ? Effect.void : Scope.close(scope, Exit.void)
  })

  const url = yield* Effect.acquireRelease(startOn(undefined), () => stop, { interruptible: true })
  const port = Number(new URL(Redacted.value(url)).port)
  const start = Effect.suspend(() => (running === undefined ? Effect.asVoid(startOn(port)) : Effect.void))

  const crash = Effect.gen(function* () {
    if (running === undefined) return
    const sql = yield* PgClient.make({ url, maxConnections: 1 })
    const [row] = yield* sql<{
      pid: number
    }>`SELECT split_part(pg_read_file('postmaster.pid'), E'\n', 1)::int AS pid`
    if (row !== undefined) process.kill(row.pid, "SIGQUIT")
  }).pipe(
    Effect.scoped,
    Effect.provide(Reactivity.layer),
    // Waits for the end, and forgets the server.
    Effect.ensuring(stop),
    Effect.provideService(References.MinimumLogLevel, "None"),
  )

  let databases = 0
  const freshDatabase = Effect.gen(function* () {
    const sql = yield* PgClient.make({ url, maxConnections: 1 })
    databases += 1
    const name = `fresh_${databases}`
    yield* sql`CREATE DATABASE ${sql(name)}`
    const fresh = new URL(Redacted.value(url))
    fresh.pathname = name
    return Redacted.make(fresh.href)
  }).pipe(Effect.scoped, Effect.provide(Reactivity.layer))

  const engine: PostgresEngine = { url, freshDatabase, stop, crash, start }
  return engine
})
