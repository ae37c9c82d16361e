import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as SqlClient from "effect/sql/SqlClient"
import type { SqlFailure } from "./Sql.ts"
import * as SqlDatabase from "./SqlDatabase.ts"
import { RealPlayersPresent, SqlLevels } from "./SqlLevels.ts"
import { operatorCall, operatorConnection } from "./SqlOperator.ts"
import { endOldRanks, retireOldRanks } from "./SqlOldRanks.ts"
import { generatePlayers } from "./SqlSynthetic.ts"
import { correctNodes, REPAIR_LOCK, selectReport } from "./SqlWrongNodes.ts"

/** Each pass after the first corrects only what went wrong during the one before, so a second rarely finds anything. */
const PASSES = 3

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

const repairNodes = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  let repaired = 0
  for (let pass = 0; pass < PASSES; pass++) {
    const corrected = yield* correctNodes(sql)
    if (corrected === 0) break
    repaired += corrected
    // Where the triggers did not run, the levels of earlier releases are wrong as well.
    yield* endOldRanks(sql)
  }
  return { repaired, after: yield* selectReport(sql) }
})

const make = Effect.gen(function* () {
  // One connection for everything: the lock and the temporary table belong to it.
  const sql = yield* operatorConnection("scoreboard ranks")
  return SqlLevels.of({
    verify: operatorCall("verifyLevels")(selectReport(sql)),
    repair: operatorCall("repairLevels")(alone(sql, repairNodes(sql))),
    retire: operatorCall("retireLevels")(retireOldRanks(sql)),
    generate: (request) =>
      alone(sql, generatePlayers(sql, request)).pipe(
        operatorCall("generate"),
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

/** The same where the configuration says. It never changes the schema: it fails when something is missing. */
export const layer = onDatabase.pipe(Layer.provide(SqlDatabase.checkedLayer))
