import * as PgClient from "@effect/sql-pg/PgClient"
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as PgPool from "@effect/sql-pg/PgPool"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import * as SqlClient from "effect/sql/SqlClient"
import type { Acquirer, Borrower, Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import { outageLog } from "../../foundation/OutageLog.ts"
import { WAIT_CANCELLED, watchWaits } from "./SqlCancelledWait.ts"
import { sqlState } from "./SqlRolledBack.ts"
import { isPasswordRefused, type PasswordFile, retrying } from "./SqlPasswordFile.ts"
import type { Needs, Primary } from "./SqlPrimary.ts"

/**
 * How long a connection lives, give or take a tenth so that they do not all end at once. A name that moved is
 * followed by then, even if the old server still answers and says nothing. HikariCP has 30 minutes, Npgsql an hour; a
 * process has ten connections at most, so a connection a minute costs nothing. The driver's own `connectionTTL` would open
 * a scope for every statement.
 */
const LIFE_MILLIS = 10 * 60 * 1000

/** How much longer a connection lives whose successor's password is refused, until that is tried again. */
const PROLONGED_NANOS = 10_000_000_000n

/** A transaction that failed was left open on the connection, which no statement of ours does: a pooler lends it so. */
const FAILED_TRANSACTION = "25P02"

/** A connection that may carry statements, from its first use on. */
interface Admitted {
  readonly connection: Connection
  /** The primary's when it was admitted. */
  readonly generation: number
  /** Monotonic. */
  endsAtNanos: bigint
}

/** A connection turned out to be of no use, and the pool has been told. */
const REPLACED: unique symbol = Symbol("replaced")

/** The driver's connection as Effect's SQL client takes it. Our clients transform no rows. */
const adapt = (
  pg: PgConnection.PgConnection,
  failed: (error: SqlError) => Effect.Effect<void>,
): Connection => {
  const isWaitCancelled = watchWaits(pg)
  const watch = <A>(statement: Effect.Effect<A, SqlError>): Effect.Effect<A, SqlError> =>
    Effect.flatMap(Effect.tapError(statement, failed), (result) =>
      isWaitCancelled() ? Effect.fail(WAIT_CANCELLED) : Effect.succeed(result),
    )
  const rows = (sql: string, params: ReadonlyArray<unknown>, prepare: boolean) =>
    Effect.map(watch(pg.query(sql, params, prepare)), (result) => result.rows)
  return {
    execute: (sql, params) => rows(sql, params, true),
    executeUnprepared: (sql, params) => rows(sql, params, false),
    executeRaw: (sql, params) => watch(pg.query(sql, params)),
    executeValues: (sql, params) => watch(pg.queryValues(sql, params)),
    executeValuesUnprepared: (sql, params) => watch(pg.queryValues(sql, params, false)),
    executeStream: (sql, params) => Stream.tapError(pg.stream(sql, params), failed),
  }
}

/**
 * Whether a connection has to go on at the end of its life because the password of its successor is refused: between the
 * change of a password in the database and in its file, no connection can be opened, and the open ones are still good.
 */
const triesSuccessor = (config: PgPool.Config): Effect.Effect<boolean> =>
  Effect.scoped(PgConnection.make(config)).pipe(
    outageLog({
      begins: "The database refuses the password in its file; connections that are open are kept",
      ends: "The database takes the password in its file again",
      belongs: isPasswordRefused,
    }),
    Effect.match({ onSuccess: () => false, onFailure: isPasswordRefused }),
  )

/**
 * A pool whose connections lead to the primary: each is asked where it leads before it carries anything, and replaced
 * when the server behind it turns out to be of no use, or at the end of its life. A statement on a connection that is
 * fine costs no more than with the driver's own pool.
 */
export const make = Effect.fnUntraced(function* (
  config: PgPool.Config,
  needs: Needs,
  primary: Primary,
  passwordFile?: PasswordFile,
) {
  const pool = yield* PgPool.make(config)
  const clock = yield* Clock.Clock
  const again = retrying(passwordFile)
  const mustStay = passwordFile === undefined ? Effect.succeed(false) : triesSuccessor(config)
  const admitted = new WeakMap<PgConnection.PgConnection, Admitted>()

  const isGood = (lease: Admitted | undefined): lease is Admitted =>
    lease !== undefined &&
    lease.generation === primary.generation() &&
    clock.monotonicTimeNanosUnsafe() < lease.endsAtNanos

  const admit = Effect.fnUntraced(function* (pg: PgConnection.PgConnection) {
    const generation = yield* primary.admit(pg, needs)
    const lifeMillis = yield* Random.nextIntBetween(LIFE_MILLIS * 0.9, LIFE_MILLIS * 1.1)
    const lease: Admitted = {
      connection: adapt(pg, (error) => {
        primary.failed(error, generation)
        return sqlState(error) === FAILED_TRANSACTION ? pool.invalidate(pg) : Effect.void
      }),
      generation,
      endsAtNanos: clock.monotonicTimeNanosUnsafe() + BigInt(lifeMillis) * 1_000_000n,
    }
    admitted.set(pg, lease)
    return lease.connection
  })

  /** For a connection that is new, or not good any more. */
  const examine = Effect.fnUntraced(function* (pg: PgConnection.PgConnection) {
    const lease = admitted.get(pg)
    if (lease === undefined) return yield* Effect.onError(admit(pg), () => pool.invalidate(pg))
    if (lease.generation !== primary.generation() || !(yield* mustStay)) {
      yield* pool.invalidate(pg)
      return REPLACED
    }
    lease.endsAtNanos = clock.monotonicTimeNanosUnsafe() + PROLONGED_NANOS
    return lease.connection
  })

  const borrower: Borrower = <A, E, R>(use: (connection: Connection) => Effect.Effect<A, E, R>) => {
    const attempt: Effect.Effect<A | typeof REPLACED, E | SqlError, R> = pool.use((pg) => {
      const lease = admitted.get(pg)
      if (isGood(lease)) return use(lease.connection)
      return Effect.flatMap(examine(pg), (found): Effect.Effect<A | typeof REPLACED, E, R> =>
        found === REPLACED ? Effect.succeed(REPLACED) : use(found),
      )
    })
    const untilUsed: Effect.Effect<A, E | SqlError, R> = Effect.flatMap(attempt, (result) =>
      result === REPLACED ? untilUsed : Effect.succeed(result),
    )
    return again(untilUsed)
  }

  const acquire: Acquirer = Effect.flatMap(pool.get, (pg) => {
    const lease = admitted.get(pg)
    if (isGood(lease)) return Effect.succeed(lease.connection)
    return Effect.flatMap(examine(pg), (found) => (found === REPLACED ? acquire : Effect.succeed(found)))
  })
  const acquirer = again(acquire)

  return yield* SqlClient.make({
    driver: "pg",
    acquirer,
    borrower,
    compiler: PgClient.makeCompiler(),
    spanAttributes: [["db.system.name", "postgresql"]],
  })
})
