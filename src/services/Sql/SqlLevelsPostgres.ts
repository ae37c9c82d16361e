import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as SqlClient from "effect/sql/SqlClient"
import { SqlFailure } from "./Sql.ts"
import * as SqlDatabase from "./SqlDatabase.ts"
import { RealPlayersPresent, SqlLevels } from "./SqlLevels.ts"
import { generatePlayers } from "./SqlSynthetic.ts"
import { correctLevels, selectReport, wrongLevels } from "./SqlWrongLevels.ts"

/** Each pass after the first corrects only what went wrong during the one before, so a second rarely finds anything. */
const PASSES = 3

/** Advisory lock of one repair, or one generation, at a time: two repairs would correct the same fault twice. */
const REPAIR_LOCK = 7_264_001

const failed =
  (operation: SqlFailure["operation"]) =>
  <A, E, R>(call: Effect.Effect<A, E, R>) =>
    Effect.mapError(call, (cause) => new SqlFailure({ operation, cause }))

/**
 * Runs while no other repair does; a repair that waits can be interrupted. The server also drops the lock with the
 * connection, so an unlock that fails because the server is gone needs no handling.
 */
const alone = <A, E, R>(sql: SqlClient.SqlClient, work: Effect.Effect<A, E, R>) =>
  Effect.acquireRelease(
    sql`select pg_advisory_lock(${REPAIR_LOCK})`,
    () => Effect.ignore(sql`select pg_advisory_unlock(${REPAIR_LOCK})`),
    { interruptible: true },
  ).pipe(Effect.andThen(work), Effect.scoped)

const repairLevels = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  let repaired = 0
  for (let pass = 0; pass < PASSES; pass++) {
    const corrected = yield* correctLevels(sql)
    repaired += corrected
    if (corrected === 0) break
  }
  return { repaired, after: yield* selectReport(sql) }
})

const make = Effect.gen(function* () {
  const { url } = yield* SqlDatabase.SqlDatabase
  // One connection for everything: the lock and the temporary table belong to it.
  const sql = yield* PgClient.make({ url, maxConnections: 1, applicationName: "scoreboard ranks" }).pipe(
    failed("ping"),
  )
  return SqlLevels.of({
    verify: failed("verifyLevels")(selectReport(sql)),
    repair: failed("repairLevels")(alone(sql, repairLevels(sql))),
    generate: (request) =>
      alone(sql, generatePlayers(sql, request, wrongLevels(sql))).pipe(
        failed("generate"),
        Effect.filterOrFail(
          (done) => done,
          () => new RealPlayersPresent(),
        ),
        Effect.asVoid,
      ),
  })
})

const onDatabase = Layer.effect(SqlLevels, make).pipe(Layer.provide(Reactivity.layer))

/** Levels of the database at `url`, on one connection of its own. Applies the missing part of the schema first. */
export const layerFrom = (url: Redacted.Redacted): Layer.Layer<SqlLevels, SqlFailure> =>
  onDatabase.pipe(Layer.provide(SqlDatabase.layerFrom(url)))

/** The same from `DATABASE_URL`. */
export const layer = onDatabase.pipe(Layer.provide(SqlDatabase.layer))
