import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import { SqlFailure } from "./Sql.ts"
import { toDriver } from "./SqlAddress.ts"
import * as SqlDatabase from "./SqlDatabase.ts"
import { CONNECT_TIMEOUT } from "./SqlMigrations.ts"

/**
 * A row that somebody else locks is waited for for this long: an operator waits gladly, but increments of a player queue
 * behind the operator who waits for that player's row.
 */
const LOCK_TIMEOUT_MILLIS = 5_000

/** Gives a call the failure `SqlFailure` and no time limit. */
export const operatorCall =
  (operation: SqlFailure["operation"]) =>
  <A, E, R>(call: Effect.Effect<A, E, R>) =>
    Effect.mapError(call, (cause) => new SqlFailure({ operation, cause }))

/**
 * One connection for an operator's commands. Their statements take as long as they take, whatever the limits of the role
 * are: an operator can interrupt them, and nobody else waits for them.
 */
export const operatorConnection = (
  applicationName: string,
  settings: Readonly<Record<string, string>> = {},
) =>
  Effect.gen(function* () {
    return yield* PgClient.make({
      ...toDriver(yield* SqlDatabase.SqlDatabase),
      maxConnections: 1,
      applicationName,
      connectTimeout: CONNECT_TIMEOUT,
      startupParameters: {
        statement_timeout: "0",
        lock_timeout: "0",
        // Under a stricter default of the database, a command would fail beside increments (40001).
        default_transaction_isolation: "read committed",
        ...settings,
      },
    })
  }).pipe(operatorCall("ping"))

/** For commands that change a player's row. */
export const waitsForRows = { lock_timeout: String(LOCK_TIMEOUT_MILLIS) }
