import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as SqlClient from "effect/sql/SqlClient"
import { SqlLevels } from "../../../../src/services/Sql/SqlLevels.ts"
import * as SqlLevelsPostgres from "../../../../src/services/Sql/SqlLevelsPostgres.ts"
import { known } from "../../../../src/services/Sql/SqlMigrations.ts"
import { atUrl } from "../../../../src/services/Sql/SqlAddress.ts"
import { ensureSchema } from "../../../../src/services/Sql/SqlMigrator.ts"
import { sqlState } from "../../../../src/services/Sql/SqlRolledBack.ts"
import { violations } from "../../../support/invariants/Violations.ts"
import { until } from "../../../support/fixtures.ts"
import { Engine, numbers, player, request, sqlOn, wrongRanks } from "./ranksFixtures.ts"

/** The SQLSTATE with which the view of the old levels refuses, and the one of a column that cannot be written. */
const REFUSED = "55000"
const NOT_WRITABLE = "0A000"

/** The last migration of the releases that looked ranks up in `players_at_least`. */
const OLD_SCHEMA = 6

/** A database of such a release. */
const oldDatabase = Effect.gen(function* () {
  const url = yield* (yield* Engine).freshDatabase
  const sql = yield* PgClient.make({ url, maxConnections: 4 })
  yield* sql`create table effect_sql_migrations (migration_id int primary key, created_at timestamptz not null default now(), name text not null)`
  for (const { id, name, run } of known.filter((migration) => migration.id <= OLD_SCHEMA)) {
    yield* Effect.provideService(run, SqlClient.SqlClient, sql)
    yield* sql`insert into effect_sql_migrations (migration_id, name) values (${id}, ${name})`
  }
  return { url, sql }
})

/** Some players as they were before the migration; the trigger of then counted them. */
const populate = (sql: SqlClient.SqlClient) =>
  sql`insert into users (id, email) select 'player ' || to_char(n, 'FM00'), n || '@example.com' from generate_series(0, 39) n`.pipe(
    Effect.andThen(sql`insert into scores (user_id, score, reached, hidden)
      select id, 40 * substr(id, 8)::int, nextval('event_id'), substr(id, 8)::int % 7 = 6 from users`),
  )

const migrate = (url: Redacted.Redacted) => ensureSchema(atUrl(url), "migrate", identity)

const levelsOn = (url: Redacted.Redacted) =>
  Effect.map(Layer.build(SqlLevelsPostgres.layerFrom(url)), Context.get(SqlLevels))

/** How many ranks differ between the look-up of an earlier release and a count, in one snapshot. */
const wrongOldRanks = (sql: SqlClient.SqlClient) =>
  Effect.map(
    sql<{ readonly wrong: number }>`
select (select count(*)::int from (
    select rank() over (order by score desc) as counted,
      1 + (select coalesce(sum(players), 0)::float8 from players_at_least p where p.score = s.score + 1) as looked_up
    from scores s where not hidden) r where counted <> looked_up)
  + (select (select count(*) from scores where not hidden and score > 0)
      <> (select coalesce(sum(players), 0)::float8 from players_at_least where score = 1))::int as wrong`,
    (rows) => rows[0]?.wrong,
  )

/** What a look-up of an earlier release says: how many ranks are wrong, or that it refuses. */
const oldAnswer = (sql: SqlClient.SqlClient) =>
  Effect.catchIf(
    wrongOldRanks(sql),
    (error) => sqlState(error) === REFUSED,
    () => Effect.succeed("refused" as const),
  )

/** The difference that `ranks repair` of an earlier release looks for, and the rows with which it corrects it. */
const oldRepair = (sql: SqlClient.SqlClient) =>
  Effect.gen(function* () {
    yield* sql`
create temporary table wrong_level as
with counts as (select score, count(*) as players from scores where not hidden and score > 0 group by score),
steps as (select score, coalesce(lag(score) over (order by score), 0) as below,
  sum(players) over (order by score desc) as players from counts),
want as (select level as score, players from steps, generate_series(below + 1, score) level),
have as (select score, sum(players) as players from players_at_least group by score)
select score, coalesce(want.players, 0)::bigint as counted, coalesce(have.players, 0)::bigint as kept
from want full join have using (score)
where coalesce(want.players, 0) <> coalesce(have.players, 0)`
    yield* sql`
insert into players_at_least as p (score, shard, players) values (1, 0, 5)
  on conflict (score, shard) do update set players = p.players + excluded.players`
  })

layer(Engine.layer, { timeout: "60 seconds", excludeTestServices: true })(
  "Ranks of processes of an earlier release",
  (it) => {
    it.effect("are right beside the new ones until a larger change, and refused from then on", () =>
      Effect.gen(function* () {
        const { url, sql } = yield* oldDatabase
        yield* populate(sql)
        assert.strictEqual(yield* oldAnswer(sql), 0)
        const number = numbers(11)
        const some = () => [1, 2, 3].map(() => player(number(40)))
        const step = Effect.suspend(
          () => sql`
with locked as materialized (select user_id from scores where user_id = any(${some()}::text[]) order by user_id for update)
update scores set score = score + ${number(300)}, hidden = ${number(4) === 0} from locked where scores.user_id = locked.user_id`,
        )
        // Old processes write and read before, while and after the schema becomes the new one.
        const writer = yield* Effect.forkChild(Effect.forever(step))
        const reader = yield* Effect.forkChild(
          Effect.forever(Effect.map(oldAnswer(sql), (answer) => assert.strictEqual(answer, 0))),
        )
        assert.deepStrictEqual((yield* migrate(url)).slice(0, 2), [
          "0007_count_rank_nodes",
          "0008_fill_rank_nodes",
        ])
        const process = yield* sqlOn(url)
        for (let round = 0; round < 20; round++) {
          yield* process.increment([request(number(40)), request(number(40))])
          assert.strictEqual(yield* wrongRanks(sql), 0)
        }
        assert.isUndefined(reader.pollUnsafe(), "an old process was told a wrong rank, or none")
        yield* Fiber.interrupt(reader)

        // A change that is undone ends nothing.
        const jump = sql`update scores set score = 9007199254740000, hidden = false where user_id = ${player(3)}`
        const undo = new Error("on purpose")
        assert.strictEqual(
          yield* Effect.flip(sql.withTransaction(Effect.andThen(jump, Effect.fail(undo)))),
          undo,
        )
        assert.strictEqual(yield* oldAnswer(sql), 0)
        const answers: Array<unknown> = []
        const after = yield* Effect.forkChild(
          Effect.forever(Effect.map(oldAnswer(sql), (answer) => answers.push(answer))),
        )
        yield* until(
          "an answer before",
          Effect.sync(() => answers.length),
          (n) => n > 2,
        )
        yield* jump
        const many = answers.length
        yield* until(
          "answers after",
          Effect.sync(() => answers.length),
          (n) => n > many + 5,
        )
        assert.isUndefined(after.pollUnsafe())
        assert.deepStrictEqual(new Set(answers), new Set([0, "refused"]))
        assert.strictEqual(answers.lastIndexOf(0) < answers.indexOf("refused"), true)
        yield* Fiber.interrupt(writer)
        assert.strictEqual(yield* wrongRanks(sql), 0)
        // Nothing is written that nobody reads, by a jump nor by a step.
        const rows = Effect.map(sql`select sum(players), count(*) from old_players_at_least`, (all) => all[0])
        const before = yield* rows
        yield* sql`update scores set score = 0 where user_id = ${player(3)}`
        yield* process.increment([request(5)])
        assert.deepStrictEqual(yield* rows, before)
        assert.deepStrictEqual(
          (yield* violations(sql)).filter((name) => name === "ranks"),
          [],
        )
      }).pipe(Effect.provide(Reactivity.layer)),
    )

    it.effect("cannot be repaired by an earlier release, which changes nothing and ends at once", () =>
      Effect.gen(function* () {
        const { url, sql } = yield* oldDatabase
        yield* populate(sql)
        yield* migrate(url)
        const levels = Effect.map(sql`select sum(players) from old_players_at_least`, (rows) => rows[0])
        const before = yield* levels
        assert.strictEqual(sqlState(yield* Effect.flip(oldRepair(sql))), NOT_WRITABLE)
        assert.deepStrictEqual(yield* levels, before)
        // One row for each point up to this score would fill the disk.
        yield* sql`update scores set score = 9007199254740991 where user_id = ${player(3)}`
        yield* sql`drop table pg_temp.wrong_level`.pipe(Effect.ignore)
        assert.strictEqual(sqlState(yield* Effect.flip(oldRepair(sql))), REFUSED)
        assert.deepStrictEqual(yield* levels, before)
      }).pipe(Effect.provide(Reactivity.layer)),
    )

    it.effect("are ended by an operator while others write, and cost nothing afterwards", () =>
      Effect.gen(function* () {
        const { url, sql } = yield* oldDatabase
        yield* populate(sql)
        yield* migrate(url)
        const levels = yield* levelsOn(url)
        const process = yield* sqlOn(url)
        const number = numbers(5)
        const writer = yield* Effect.forkChild(
          Effect.forever(Effect.suspend(() => process.increment([request(number(40)), request(number(40))]))),
        )
        assert.isTrue(yield* levels.retire)
        assert.isFalse(yield* levels.retire)
        const scores = Effect.map(
          sql<{ n: number }>`select sum(score)::int as n from scores`,
          ([row]) => row?.n ?? 0,
        )
        const then = yield* scores
        yield* until("increments go on", scores, (now) => now > then + 10)
        assert.isUndefined(writer.pollUnsafe())
        yield* Fiber.interrupt(writer)
        assert.strictEqual((yield* levels.verify).wrong, 0)
        assert.deepStrictEqual(yield* sql`select 1 from pg_class where relname ~ 'at_least|old_ranks'`, [])
        assert.deepStrictEqual(yield* sql`select 1 from pg_proc where proname ~ 'old_ranks'`, [])
      }).pipe(Effect.provide(Reactivity.layer)),
    )

    it.effect("are not told once a load without the triggers was repaired", () =>
      Effect.gen(function* () {
        const { url, sql } = yield* oldDatabase
        yield* populate(sql)
        yield* migrate(url)
        const levels = yield* levelsOn(url)
        yield* levels.repair
        assert.strictEqual(yield* oldAnswer(sql), 0)
        yield* sql`alter table scores disable trigger user`
        yield* sql`update scores set score = score + 7`
        yield* sql`alter table scores enable trigger user`
        assert.strictEqual((yield* levels.repair).after.wrong, 0)
        assert.strictEqual(yield* oldAnswer(sql), "refused")
      }).pipe(Effect.provide(Reactivity.layer)),
    )

    it.effect("do not exist on a database that had no players when it was migrated", () =>
      Effect.gen(function* () {
        const { url, sql } = yield* oldDatabase
        yield* migrate(url)
        assert.deepStrictEqual(yield* sql`select 1 from pg_class where relname ~ 'at_least|old_ranks'`, [])
        yield* (yield* sqlOn(url)).increment([request(1)])
        assert.strictEqual(yield* wrongRanks(sql), 0)
      }).pipe(Effect.provide(Reactivity.layer)),
    )

    it.effect("give way to nodes that are filled whole, also when an attempt was cut off", () =>
      Effect.gen(function* () {
        const { url, sql } = yield* oldDatabase
        yield* populate(sql)
        // Enough blocks for several batches, without levels: nobody could write so many.
        yield* sql`alter table scores disable trigger user`
        yield* sql`insert into scores select 'far ' || n, 1 + hashtext(n::text)::bigint + 2147483648, n from generate_series(1, 2000) n`
        yield* sql`alter table scores enable trigger user`
        // A batch takes long enough to cut the connection between two.
        yield* sql`alter function board_moved() rename to board_moved_at_once`
        yield* sql`create function board_moved() returns int language sql as $$ select board_moved_at_once() from pg_sleep(0.05) $$`
        const filled = Effect.map(
          sql<{
            n: number
          }>`select count(*)::int as n from pg_class, lateral (select from rank_node) r where relname = 'rank_node'`,
          ([row]) => row?.n ?? 0,
        ).pipe(Effect.orElseSucceed(() => 0))
        const attempt = yield* Effect.forkChild(Effect.exit(migrate(url)))
        yield* until("two batches", filled, (n) => n >= 2000)
        yield* sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'scoreboard migrate' and datname = current_database()`
        assert.strictEqual((yield* Fiber.join(attempt))._tag, "Failure")
        const part = yield* filled
        yield* sql`update scores set score = score + 1 where user_id like 'far 1%'`
        assert.include(yield* migrate(url), "0008_fill_rank_nodes")
        assert.isAbove(yield* filled, part)
        assert.strictEqual(yield* wrongRanks(sql), 0)
        assert.strictEqual((yield* (yield* levelsOn(url)).verify).wrong, 0)
      }).pipe(Effect.provide(Reactivity.layer)),
    )
  },
)
