import * as PgClient from "@effect/sql-pg/PgClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as SqlClient from "effect/sql/SqlClient"
import { Count } from "../../domain/Score.ts"
import { SqlFailure } from "./Sql.ts"
import { migrate } from "./SqlMigrations.ts"
import * as SqlPostgres from "./SqlPostgres.ts"
import { generatePlayers } from "./SqlSynthetic.ts"

/** Level rows written by one transaction of a repair: about 20 ms, and one shard of 16 is taken meanwhile. */
const BATCH_LEVELS = 1000

/** Each pass after the first mends only what went wrong while the one before ran, so a second rarely finds any. */
const PASSES = 3

/** How many wrong levels a report names. */
const NAMED_LEVELS = 10

/** For one repair, or one generation, at a time: two repairs would mend the same fault twice. Any number will do. */
const REPAIR_LOCK = 7_264_001

const Report = Schema.Struct({
  /** Visible players with at least one point, counted. */
  players: Count,
  /** The highest score, so how many levels there should be. */
  levels: Count,
  /** How many levels hold another number than a count gives. 0 = every rank is right. */
  wrong: Count,
  /** The lowest of them: how many players have at least `score`, as counted and as kept. */
  lowest: Schema.Array(Schema.Struct({ score: Schema.Int, counted: Schema.Int, kept: Schema.Int })),
})
/** What a check of the levels found, in one snapshot. */
export type LevelReport = typeof Report.Type
const decodeReport = Schema.decodeUnknownEffect(Schema.Tuple([Report]))

/** What a repair did. */
export interface LevelRepair {
  /** Levels that were mended, over all passes. */
  readonly repaired: number
  /** The state afterwards. Wrong levels are left only if something makes them wrong faster than they are mended. */
  readonly after: LevelReport
}

/** The database has players who are not synthetic, and nobody said that they may be mixed. */
export class RealPlayersPresent extends Schema.TaggedError<RealPlayersPresent>()("RealPlayersPresent", {}) {}

/** The operator's side of the ranks. Nothing here has a time limit: a count of ten million players takes seconds. */
export class SqlLevels extends Context.Service<
  SqlLevels,
  {
    /** Counts every level from scratch and compares, in one snapshot; locks nothing. */
    readonly verify: Effect.Effect<LevelReport, SqlFailure>

    /**
     * Mends what `verify` finds, while increments go on; also fills the levels after a bulk load. The difference of
     * count and level is taken in one snapshot and added in small batches: increments add to both alike, so it
     * stays the same meanwhile. Idempotent; interrupted, it leaves some levels mended and none worse.
     */
    readonly repair: Effect.Effect<LevelRepair, SqlFailure>

    /**
     * Adds synthetic players `synthetic-0000000001` and so on, with a long tail of scores and big ties, the same
     * ones for the same numbers, without history. One transaction, in which nobody else can write a score.
     * Without `besideRealPlayers` fails where there are others.
     */
    generate(options: {
      readonly players: number
      readonly besideRealPlayers: boolean
    }): Effect.Effect<void, SqlFailure | RealPlayersPresent>
  }
>()("scoreboard/services/SqlLevels") {
  /** Applies what is missing of the schema, then serves. `url` names the primary. */
  static readonly layerFrom = (url: Redacted.Redacted): Layer.Layer<SqlLevels, SqlFailure> =>
    Layer.effect(SqlLevels, make(url)).pipe(Layer.provide(Reactivity.layer))

  /** From `DATABASE_URL`, as `Sql`. */
  static readonly layer = Layer.unwrap(
    Effect.gen(function* () {
      return SqlLevels.layerFrom(yield* SqlPostgres.config.url)
    }),
  )
}

/**
 * Every level whose number is not what a count gives, as rows (score, counted, kept). Counts by score, then a
 * running sum from the top; a level between two scores has the number of the next score above it.
 */
export const wrongLevels = (sql: SqlClient.SqlClient) => sql`
with counts as (select score, count(*) as players from scores where not hidden and score > 0 group by score),
steps as (select score, coalesce(lag(score) over (order by score), 0) as below,
  sum(players) over (order by score desc) as players from counts),
want as (select level as score, players from steps, generate_series(below + 1, score) level),
have as (select score, sum(players) as players from players_at_least group by score)
select score, coalesce(want.players, 0)::bigint as counted, coalesce(have.players, 0)::bigint as kept
from want full join have using (score)
where coalesce(want.players, 0) <> coalesce(have.players, 0)`

const selectReport = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  const rows = yield* sql`
with wrong as materialized (${wrongLevels(sql)})
select (select count(*)::float8 from scores where not hidden and score > 0) as players,
  coalesce((select max(score)::float8 from scores where not hidden), 0) as levels,
  (select count(*)::float8 from wrong) as wrong,
  coalesce((select json_agg(w order by w.score) from (select * from wrong order by score limit ${NAMED_LEVELS}) w), '[]') as lowest`
  const [report] = yield* Effect.orDie(decodeReport(rows))
  return report
})

/** Adds the difference to every level that is wrong in this moment, and gives how many there were. */
const mend = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  yield* sql`drop table if exists pg_temp.wrong_level`
  yield* sql`create temporary table wrong_level as ${wrongLevels(sql)}`
  yield* sql`create unique index on wrong_level (score)`
  let mended = 0
  for (;;) {
    // board_moved() locks a free shard first, as every increment does: the shard's level rows are then ours.
    const rows = yield* sql`
with shard as materialized (select board_moved() as shard from (select from wrong_level limit 1) any_left),
batch as (delete from wrong_level where score in (select score from wrong_level order by score limit ${BATCH_LEVELS})
  returning score, counted - kept as missing)
insert into players_at_least as p (score, shard, players)
  select score, shard, missing from batch, shard order by score
  on conflict (score, shard) do update set players = p.players + excluded.players
returning 1 as one`
    if (rows.length === 0) return mended
    mended += rows.length
  }
})

/**
 * While it runs, no other repair does; one that waits can be interrupted. The lock also goes with the connection, so
 * an unlock that fails because the server is gone has nothing to add.
 */
const alone = <A, E, R>(sql: SqlClient.SqlClient, work: Effect.Effect<A, E, R>) =>
  Effect.acquireRelease(
    sql`select pg_advisory_lock(${REPAIR_LOCK})`,
    () => Effect.ignore(sql`select pg_advisory_unlock(${REPAIR_LOCK})`),
    { interruptible: true },
  ).pipe(Effect.andThen(work), Effect.scoped)

const make = Effect.fnUntraced(function* (url: Redacted.Redacted) {
  const failed =
    (operation: SqlFailure["operation"]) =>
    <A, E, R>(call: Effect.Effect<A, E, R>) =>
      Effect.mapError(call, (cause) => new SqlFailure({ operation, cause }))

  yield* failed("migrate")(migrate(url))
  // One connection for everything: the lock and the temporary table belong to it.
  const sql = yield* PgClient.make({ url, maxConnections: 1, applicationName: "scoreboard ranks" }).pipe(
    failed("ping"),
  )

  const repair = Effect.gen(function* () {
    let repaired = 0
    for (let pass = 0; pass < PASSES; pass++) {
      const mended = yield* mend(sql)
      repaired += mended
      if (mended === 0) break
    }
    return { repaired, after: yield* selectReport(sql) }
  })

  return SqlLevels.of({
    verify: failed("verifyLevels")(selectReport(sql)),
    repair: failed("repairLevels")(alone(sql, repair)),
    generate: (options) =>
      alone(sql, generatePlayers(sql, options, wrongLevels(sql))).pipe(
        failed("generate"),
        Effect.filterOrFail(
          (done) => done,
          () => new RealPlayersPresent(),
        ),
        Effect.asVoid,
      ),
  })
})
