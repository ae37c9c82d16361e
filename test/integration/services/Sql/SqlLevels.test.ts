import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as SqlClient from "effect/sql/SqlClient"
import { SqlLevels } from "../../../../src/services/Sql/SqlLevels.ts"
import * as SqlLevelsPostgres from "../../../../src/services/Sql/SqlLevelsPostgres.ts"
import { Engine, numbers, player, request, sqlOn, wrongRanks } from "./ranksFixtures.ts"

const levelsOn = (url: Redacted.Redacted) =>
  Effect.map(Layer.build(SqlLevelsPostgres.layerFrom(url)), Context.get(SqlLevels))

const open = Effect.gen(function* () {
  const url = yield* (yield* Engine).freshDatabase
  return {
    levels: yield* levelsOn(url),
    otherLevels: yield* levelsOn(url),
    process: yield* sqlOn(url),
    sql: yield* PgClient.make({ url, maxConnections: 4 }),
  }
})

/** As an import with the triggers off leaves them: nodes of nothing, too few, too many, and of scores nobody has. */
const damage = (sql: SqlClient.SqlClient) =>
  sql`update rank_node set c5 = c5 + 3, c9 = null where block % 3 = 0`.pipe(
    Effect.andThen(sql`delete from rank_node where block % 5 = 0`),
    Effect.andThen(sql`insert into rank_node (period, level, block, shard, c1, c15)
      select 0, 0, 5000 + n, 3, 7, 7 from generate_series(1, 1500) n
      on conflict (period, level, block, shard) do update set c1 = coalesce(rank_node.c1, 0) + 7`),
  )

layer(Engine.layer, { timeout: "60 seconds", excludeTestServices: true })("SqlLevels", (it) => {
  it.effect("names what differs from a count, repairs it, and finds nothing afterwards", () =>
    Effect.gen(function* () {
      const { levels, sql, process } = yield* open
      yield* process.increment([1, 1, 1, 1, 2, 2].map((n) => request(n)))
      const right = { players: 2, highest: 4, wrong: 0, lowest: [] }
      assert.deepStrictEqual(yield* levels.verify, right)

      yield* sql`update rank_node set c2 = c2 + 1, c4 = null where c4 is not null`
      yield* sql`insert into rank_node (period, level, block, shard, c3) values (0, 0, 9, 0, 5), (0, 13, 0, 0, 2), (0, 3, 7, 0, 0)`
      const wrong = [
        { from: 0, to: 15, players: 1 },
        { from: 0, to: Number.MAX_SAFE_INTEGER, players: 2 },
        { from: 144, to: 159, players: 5 },
      ]
      assert.deepStrictEqual(yield* levels.verify, { ...right, wrong: 3, lowest: wrong })
      assert.deepStrictEqual(yield* levels.repair, { repaired: 3, after: right })
      assert.deepStrictEqual(yield* levels.repair, { repaired: 0, after: right })
    }).pipe(Effect.provide(Reactivity.layer)),
  )

  it.effect("fills the nodes after a load with the triggers off", () =>
    Effect.gen(function* () {
      const { levels, sql } = yield* open
      yield* sql`alter table scores disable trigger user`
      yield* sql`insert into scores select 'player ' || n, n::bigint ^ 8, n, n % 7 = 0 from generate_series(0, 60) n`
      yield* sql`alter table scores enable trigger user`
      const { repaired, after } = yield* levels.repair
      assert.isAbove(repaired, 100)
      assert.strictEqual(after.wrong, 0)
      assert.strictEqual(yield* wrongRanks(sql), 0)
    }).pipe(Effect.provide(Reactivity.layer)),
  )

  it.effect("repairs, twice at once, while increments, hides and deletes continue", () =>
    Effect.gen(function* () {
      const { levels, otherLevels, process, sql } = yield* open
      yield* sql`insert into users select ${"player "} || to_char(n, 'FM00'), n || '@example.com' from generate_series(0, 39) n`
      yield* sql`insert into scores (user_id, score, reached) select id, 1 + 60 * substr(id, 8)::int, 0 from users`
      const number = numbers(7)
      const writer = Effect.gen(function* () {
        yield* process.increment(Array.from({ length: 5 }, () => request(number(40))))
        yield* sql`update scores set hidden = not hidden where user_id = ${player(number(40))}`
        yield* sql`delete from scores where user_id = ${player(number(40))} and score < 10`
      })
      for (let round = 0; round < 3; round++) {
        yield* damage(sql)
        const [one, other] = yield* Effect.raceFirst(
          Effect.all([levels.repair, otherLevels.repair], { concurrency: 2 }),
          Effect.all([Effect.forever(writer), Effect.forever(writer)], { concurrency: 2 }).pipe(
            Effect.andThen(Effect.never),
          ),
        )
        assert.isAbove(Math.max(one.repaired, other.repaired), 1000)
        assert.strictEqual(Math.min(one.repaired, other.repaired), 0, "the same fault was repaired twice")
        assert.deepStrictEqual([one.after.wrong, other.after.wrong], [0, 0])
        assert.strictEqual(yield* wrongRanks(sql), 0)
      }
    }).pipe(Effect.provide(Reactivity.layer)),
  )

  it.effect("repairs after a wait for a lock, whatever limit the role has for its other connections", () =>
    Effect.gen(function* () {
      const url = yield* (yield* Engine).freshDatabase
      const process = yield* sqlOn(url)
      yield* process.increment([request(1)])
      const sql = yield* PgClient.make({ url, maxConnections: 2 })
      const database = new URL(Redacted.value(url)).pathname.slice(1)
      yield* sql`alter database ${sql(database)} set lock_timeout = '100ms'`
      const levels = yield* levelsOn(url)
      yield* sql`update rank_node set c1 = c1 + 1`
      const locked = yield* Deferred.make<void>()
      const other = yield* Effect.forkChild(
        sql.withTransaction(
          Effect.gen(function* () {
            yield* sql`select 1 from rank_node for update`
            yield* sql`select 1 from board_version for update`
            yield* Deferred.succeed(locked, undefined)
            yield* Effect.sleep("500 millis")
          }),
        ),
      )
      yield* Deferred.await(locked)
      const { repaired, after } = yield* levels.repair
      assert.deepStrictEqual([repaired, after.wrong], [1, 0])
      yield* Fiber.join(other)
    }).pipe(Effect.provide(Reactivity.layer)),
  )

  it.effect("generates players with right ranks and big ties, more of them the next time", () =>
    Effect.gen(function* () {
      const { levels, sql, process } = yield* open
      yield* levels.generate({ players: 2000, besideRealPlayers: false })
      yield* levels.generate({ players: 1000, besideRealPlayers: false })
      const report = yield* levels.verify
      assert.strictEqual(report.players, 3000)
      assert.strictEqual(report.wrong, 0)
      assert.isAbove(report.highest, 50)
      const ties = yield* sql<{ readonly share: number; readonly distinct: number }>`
select (count(*) filter (where score = 1))::float8 / count(*) as share, count(distinct reached)::int as distinct from scores`
      assert.isTrue((ties[0]?.share ?? 0) > 0.5 && (ties[0]?.share ?? 0) < 0.8)
      assert.strictEqual(ties[0]?.distinct, 3000)
      assert.strictEqual(yield* wrongRanks(sql), 0)
      // The triggers are on again.
      yield* process.increment([request(1)])
      assert.strictEqual(yield* wrongRanks(sql), 0)
    }).pipe(Effect.provide(Reactivity.layer)),
  )

  it.effect("generates nothing beside real players, unless it may", () =>
    Effect.gen(function* () {
      const { levels, process } = yield* open
      yield* process.increment([request(1)])
      const refused = yield* Effect.flip(levels.generate({ players: 10, besideRealPlayers: false }))
      assert.strictEqual(refused._tag, "RealPlayersPresent")
      assert.strictEqual((yield* levels.verify).players, 1)
      yield* levels.generate({ players: 10, besideRealPlayers: true })
      assert.strictEqual((yield* levels.verify).players, 11)
    }).pipe(Effect.provide(Reactivity.layer)),
  )
})
