import type { PgConnection } from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import { ConnectionError, SqlError } from "effect/sql/SqlError"
import { outageLog } from "../../foundation/OutageLog.ts"
import { sqlState } from "./SqlRolledBack.ts"
import { orderByTimeline } from "./SqlTimeline.ts"

/**
 * A server that says this cannot be used by any connection that leads to it: it takes no writes (25006, after a
 * failover), or shuts down, has crashed, or does not accept connections yet (57P01 to 57P03). HikariCP, the pool of
 * Java, has the same list but for 25006, which pgjdbc finds by `targetServerType=primary`.
 */
const UNUSABLE_SERVER: ReadonlySet<string> = new Set(["25006", "57P01", "57P02", "57P03"])

/** What a connection is asked before it carries anything. In recovery, `transaction_read_only` is always on. */
const WHERE_IT_LEADS = `select pg_is_in_recovery() as standby, current_setting('transaction_read_only') = 'on' as read_only,
  pg_postmaster_start_time()::text as server`

/** What a pool asks of the server behind its connections. */
export interface Needs {
  /** Whether its statements write. A pool that mostly reads may use a primary that is read-only for a while. */
  readonly writes: boolean
}

/** Which server the connections of one process should lead to. One for all pools: they have the same address. */
export interface Primary {
  /**
   * Raised when connections turn out to lead to a server that cannot be used, or not where the address leads now. A
   * connection of an earlier generation is replaced before it carries anything.
   */
  readonly generation: () => number
  /** Asks a new connection where it leads, and fails if that is no place for the pool. Succeeds with its generation. */
  admit(connection: PgConnection, needs: Needs): Effect.Effect<number, SqlError>
  /** Takes note of a statement that failed on a connection of this generation. */
  failed(error: SqlError, generation: number): void
  /** Succeeds when the server behind this pool's connections takes writes. */
  ping(sql: SqlClient.SqlClient): Effect.Effect<void, SqlError>
}

/** A connection that is not used, and why. */
export const refusal = (message: string) =>
  new SqlError({
    reason: new ConnectionError({ cause: new Error(message), message, operation: "connect" }),
  })

const IS_STANDBY = refusal("the server is a standby: it is in recovery")
const IS_READ_ONLY = refusal("the server is read-only: transaction_read_only is on")

export const make = (): Primary => {
  let generation = 0
  /** When the server of the newest connection started: this tells two servers apart. */
  let newest: string | undefined
  const logged = outageLog({
    begins: "PostgreSQL takes no writes; connections to it are replaced until one does",
    ends: "PostgreSQL takes writes again",
    belongs: (error) => error === IS_STANDBY || error === IS_READ_ONLY,
  })

  const arriveAt = Effect.fnUntraced(function* (server: string, connection: PgConnection) {
    if (server === newest) return
    if (newest !== undefined) generation++
    newest = server
    yield* Effect.onError(orderByTimeline(connection), () => Effect.sync(() => (newest = undefined)))
  })

  const admit = Effect.fnUntraced(function* (connection: PgConnection, needs: Needs) {
    const { rows } = yield* connection.query(WHERE_IT_LEADS, [], false)
    const { standby, read_only: readOnly, server } = rows[0] ?? {}
    if (standby === true) return yield* IS_STANDBY
    if (readOnly === true && needs.writes) return yield* IS_READ_ONLY
    if (readOnly === false) yield* arriveAt(String(server), connection)
    return generation
  })

  const ping = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
    const [row] = yield* sql<{ readonly read_only: boolean; readonly server: string }>`
select current_setting('transaction_read_only') = 'on' as read_only, pg_postmaster_start_time()::text as server`
    // Behind a pooler, a connection may lead to another server than when it was opened.
    if (row?.read_only !== false || row.server !== newest) generation++
    if (row?.read_only !== false) return yield* IS_READ_ONLY
  })

  return {
    generation: () => generation,
    admit: (connection, needs) =>
      needs.writes ? logged(admit(connection, needs)) : admit(connection, needs),
    failed: (error, of) => {
      if (of === generation && UNUSABLE_SERVER.has(sqlState(error) ?? "")) generation++
    },
    ping: (sql) => logged(ping(sql)),
  }
}
