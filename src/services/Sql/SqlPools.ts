import type * as PgPool from "@effect/sql-pg/PgPool"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as SqlClient from "effect/sql/SqlClient"
import { READS_AT_ONCE } from "./Sql.ts"
import { type Address, startFailure, toDriver } from "./SqlAddress.ts"
import * as SqlConnections from "./SqlConnections.ts"
import * as SqlDatabase from "./SqlDatabase.ts"
import { CONNECT_TIMEOUT } from "./SqlMigrations.ts"
import { retrying } from "./SqlPasswordFile.ts"
import * as SqlPrimary from "./SqlPrimary.ts"
import { COMMIT_LOCK_TIMEOUT_MILLIS, STATEMENT_TIMEOUT_MILLIS, tryOut } from "./SqlSettings.ts"

/** A row locked elsewhere (an operator's open transaction) fails a statement after this long. */
const LOCK_TIMEOUT_MILLIS = 1000

/** The same for a batch of requests set aside, which are tried again: three times the slowest commit on a good day (8 ms). */
const ASIDE_LOCK_TIMEOUT_MILLIS = 25

/** One per committer: see `COMMITTERS` of the increment programs. */
const COMMIT_CONNECTIONS = 2

/** Requests set aside are tried one after the other. */
const ASIDE_CONNECTIONS = 1

/** Leases and deletions of sent commits are rare and may wait for one another. */
const OUTBOX_CONNECTIONS = 1

/**
 * For what nobody may keep waiting: readiness, the board, logouts and registrations. A worker selects one board at a time,
 * an API process lets all requests in flight share one, and the rest are single rows by key (0.1 ms): the second connection
 * is for them while the first selects a board.
 */
const VITAL_CONNECTIONS = 2

const LIMITS = {
  statement_timeout: String(STATEMENT_TIMEOUT_MILLIS),
  lock_timeout: String(LOCK_TIMEOUT_MILLIS),
  // Under a stricter default of the database or the role, commits of the same player would fail each other (40001).
  default_transaction_isolation: "read committed",
}

const openAt = Effect.fnUntraced(function* (address: Address) {
  const primary = SqlPrimary.make()
  /** What was tried out already: pools that ask for the same settings get the same answer. */
  const tried = new Set<string>()
  const pool = Effect.fnUntraced(function* (
    name: string,
    maxConnections: number,
    startupParameters: Record<string, string>,
    needs: SqlPrimary.Needs = { writes: true },
  ) {
    const config = {
      ...toDriver(address),
      maxConnections,
      applicationName: `scoreboard ${name}`,
      connectTimeout: CONNECT_TIMEOUT,
      startupParameters: { ...LIMITS, ...startupParameters },
    } satisfies PgPool.Config
    const settings = JSON.stringify(config.startupParameters)
    if (!tried.has(settings)) {
      yield* retrying(address.passwordFile)(tryOut(config, (connection) => primary.admit(connection, needs)))
    }
    tried.add(settings)
    return yield* SqlConnections.make(config, needs, primary, address.passwordFile)
  })
  const commitPool = (name: string, connections: number, lockTimeoutMillis: number) =>
    pool(name, connections, {
      lock_timeout: String(lockTimeoutMillis),
      // A generic plan halves the cost of small batches: the statement is the same whatever the arrays hold.
      plan_cache_mode: "force_generic_plan",
    })
  return {
    primary,
    commits: yield* commitPool("commit", COMMIT_CONNECTIONS, COMMIT_LOCK_TIMEOUT_MILLIS),
    commitsAside: yield* commitPool("commit aside", ASIDE_CONNECTIONS, ASIDE_LOCK_TIMEOUT_MILLIS),
    vital: yield* pool("vital", VITAL_CONNECTIONS, {}, { writes: false }),
    players: yield* pool("player", READS_AT_ONCE.player, {}, { writes: false }),
    pages: yield* pool("page", READS_AT_ONCE.page, {}, { writes: false }),
    // Losing a lease or a deletion in a crash only sends a message twice, so neither waits for the disk.
    outbox: yield* pool("outbox", OUTBOX_CONNECTIONS, { synchronous_commit: "off" }),
  }
})

const open = Effect.flatMap(SqlDatabase.SqlDatabase, (address) =>
  Effect.mapError(openAt(address), (cause) => startFailure("ping", address, cause)),
)

/**
 * The connections of one process, by what they are for: ten at most, opened when they are needed, closed with the scope.
 * No flood of one kind of request can take the connections of another kind.
 */
export class SqlPools extends Context.Service<
  SqlPools,
  {
    /** Where all of them lead. */
    readonly primary: SqlPrimary.Primary
    readonly commits: SqlClient.SqlClient
    readonly commitsAside: SqlClient.SqlClient
    readonly vital: SqlClient.SqlClient
    readonly players: SqlClient.SqlClient
    readonly pages: SqlClient.SqlClient
    readonly outbox: SqlClient.SqlClient
  }
>()("scoreboard/services/SqlPools") {}

const pools = Layer.effect(SqlPools, open).pipe(Layer.provide(Reactivity.layer))

/** Connections to a database that has the newest schema. */
export const layerFrom = SqlDatabase.oncePerUrl((url) =>
  pools.pipe(Layer.provide(SqlDatabase.layerFrom(url))),
)

/** The same where the configuration says. */
export const layer = pools.pipe(Layer.provide(SqlDatabase.layer))
