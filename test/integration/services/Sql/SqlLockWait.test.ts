import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import type { SqlError } from "effect/sql/SqlError"
import { waitingForLocks, waitingForTransactions } from "../../../../src/services/Sql/SqlLockWait.ts"
import { retireOldRanks } from "../../../../src/services/Sql/SqlOldRanks.ts"
import { until } from "../../../support/fixtures.ts"
import { by, Engine, logged, operatorOn, setup } from "./fixtures.ts"

const OPTIONS = { timeout: "20 seconds", excludeTestServices: true } as const

/** Fills a table for an autovacuum of minutes, and waits until one has begun. Ending it for somebody's lock takes two seconds. */
const slowAutovacuum = Effect.fnUntraced(function* (
  operator: PgClient.PgClient,
  table: "scores" | "score_events",
  fill: Effect.Effect<unknown, SqlError>,
) {
  yield* fill
  yield* operator`alter table ${operator(table)}
    set (autovacuum_vacuum_insert_threshold = 1, autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)`
  const reloaded = (how: Effect.Effect<unknown, SqlError>) =>
    Effect.andThen(how, operator`select pg_reload_conf()`)
  yield* Effect.acquireRelease(
    reloaded(
      Effect.andThen(
        operator`alter system set autovacuum_naptime = 1`,
        operator`alter system set deadlock_timeout = '2s'`,
      ),
    ),
    () =>
      Effect.orDie(
        reloaded(
          Effect.andThen(
            operator`alter system reset autovacuum_naptime`,
            operator`alter system reset deadlock_timeout`,
          ),
        ),
      ),
  )
  const vacuuming = operator`
select 1 from pg_stat_progress_vacuum where relid = ${table}::regclass and datname = current_database()`
  yield* until("an autovacuum", vacuuming, (rows) => rows.length > 0)
})

/** How many autovacuums of a table have come to their end. */
const autovacuums = (operator: PgClient.PgClient, table: string) => operator`
select autovacuum_count::int as count from pg_stat_user_tables where relname = ${table}`

layer(Engine.layer, OPTIONS)("A wait for a lock", (it) => {
  it.effect(
    "statements outside a transaction see what others commit, whatever the default of the database",
    () =>
      Effect.gen(function* () {
        const { url, operator } = yield* setup
        const [database] = yield* operator<{ readonly name: string }>`select current_database()::text as name`
        yield* operator`alter database ${operator(database?.name ?? "")} set default_transaction_isolation = 'serializable'`
        const watcher = yield* operatorOn(url)
        const migrator = yield* PgClient.make({ url, maxConnections: 1 })
        const level = migrator<{
          readonly level: string
        }>`select current_setting('transaction_isolation') as level`
        assert.deepStrictEqual(yield* waitingForTransactions(migrator, { what: "a probe", watcher }, level), [
          { level: "read committed" },
        ])
        assert.deepStrictEqual(yield* level, [{ level: "serializable" }])
      }).pipe(Effect.provide(Reactivity.layer)),
  )

  it.effect(
    "a migration cuts off an autovacuum of the table that it needs, and holds up no commit meanwhile",
    () =>
      Effect.gen(function* () {
        const { url, sql, operator } = yield* setup
        const watcher = yield* operatorOn(url)
        yield* slowAutovacuum(
          operator,
          "score_events",
          operator`insert into score_events (user_id, id, amount, score_after) select 'grace', -n, 1, 1 from generate_series(1, 100000) n`,
        )
        const { lines, work } = logged(
          Effect.flatMap(
            Layer.build(PgClient.layer({ url, maxConnections: 1, applicationName: "scoreboard migrate" })),
            (context) => {
              const migrator = Context.get(context, PgClient.PgClient)
              return waitingForLocks(
                migrator,
                { what: "a column", watcher },
                migrator`alter table score_events add column probe int`,
              )
            },
          ),
        )
        const migrating = yield* Effect.forkScoped(work)
        while (migrating.pollUnsafe() === undefined) {
          yield* sql.increment([by("ada")])
          yield* Effect.sleep("50 millis")
        }
        yield* Fiber.join(migrating)
        assert.deepStrictEqual(yield* autovacuums(operator, "score_events"), [{ count: 0 }])
        assert.include(lines.join("\n"), '"application":"autovacuum"')
      }),
  )

  it.effect("a retirement of old ranks cuts off an autovacuum of the scores", () =>
    Effect.gen(function* () {
      const { operator, sql } = yield* setup
      yield* operator`create table old_players_at_least (score bigint, shard int, players bigint, primary key (score, shard))`
      yield* operator`create table old_ranks_ended (at timestamptz)`
      yield* slowAutovacuum(
        operator,
        "scores",
        operator`insert into scores (user_id, score, reached) select n::text, 1, n from generate_series(1, 50000) n`,
      )
      const retiring = yield* Effect.forkScoped(retireOldRanks(operator))
      while (retiring.pollUnsafe() === undefined) {
        yield* sql.increment([by("ada")])
        yield* Effect.sleep("50 millis")
      }
      assert.isTrue(yield* Fiber.join(retiring))
      assert.deepStrictEqual(yield* autovacuums(operator, "scores"), [{ count: 0 }])
    }),
  )
})
