import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as SqlClient from "effect/sql/SqlClient"
import * as SqlError from "effect/sql/SqlError"
import { commitIncrements } from "../../../../src/services/Sql/SqlCommit.ts"
import { playersAboveBoth } from "../../../../src/services/Sql/SqlRankNodes.ts"
import { sqlState } from "../../../../src/services/Sql/SqlRolledBack.ts"
import { INVARIANTS } from "../../../support/invariants/Violations.ts"
import { Engine, numbers, player, request, sqlOn, wrongRanks } from "./ranksFixtures.ts"

const PLAYERS = 40

/** The largest score, by the check of the table. */
const LARGEST = Number.MAX_SAFE_INTEGER

/** A score near a border between blocks, or anywhere: half of all scores are below 2^26 or so. */
const anyScore = (number: (limit: number) => number): number => {
  const bits = number(54)
  const near = 2 ** bits + number(3) - 1
  return Math.min(LARGEST, number(2) === 0 ? near : number(2 ** 26) * number(2 ** Math.min(bits, 27)))
}

/** Each in one statement that takes its locks in the order of the commit. */
const change = (number: (limit: number) => number, sql: SqlClient.SqlClient) => {
  const some = Array.from({ length: 1 + number(5) }, () => player(number(PLAYERS)))
  const locked = sql`locked as materialized (select user_id from scores where user_id = any(${some}::text[]) order by user_id for update)`
  switch (number(8)) {
    case 0:
      return sql`with ${locked} update scores set score = ${anyScore(number)}::bigint from locked where scores.user_id = locked.user_id`
    case 1:
      return sql`with ${locked} update scores set score = least(${LARGEST}::bigint, score + ${anyScore(number)}::bigint) from locked where scores.user_id = locked.user_id`
    case 2:
      return sql`with ${locked} update scores set score = greatest(0, score - ${anyScore(number)}::bigint) from locked where scores.user_id = locked.user_id`
    case 3:
      return sql`with ${locked} update scores set hidden = not hidden from locked where scores.user_id = locked.user_id`
    case 4:
      return sql`with ${locked} delete from scores using locked where scores.user_id = locked.user_id`
    case 5:
      return sql`insert into scores (user_id, score, reached, hidden)
        select id, ${anyScore(number)}::bigint, nextval('event_id'), ${number(5) === 0} from unnest(${some}::text[]) id group by id order by id
        on conflict (user_id) do update set score = excluded.score`
    default:
      return sql`with ${locked} update scores set score = least(${LARGEST}::bigint, score + ${1 + number(2)}) from locked where scores.user_id = locked.user_id`
  }
}

const undone = new Error("rolled back on purpose")

/** Some changes in one transaction, half of which are rolled back. */
const transaction = (number: (limit: number) => number, sql: SqlClient.SqlClient) =>
  sql
    .withTransaction(
      Effect.gen(function* () {
        // Two statements of one transaction may wait for each other's rows; a lock of all players comes first.
        yield* sql`select from scores order by user_id for update`
        for (let n = 0; n < 3; n++) yield* change(number, sql)
        if (number(2) === 0) return yield* Effect.fail(undone)
      }),
    )
    .pipe(
      Effect.catchIf(
        (error) => error === undone,
        () => Effect.void,
      ),
    )

/** Every node that differs from a count, every rank, and the number of players: nothing, in one snapshot each. */
const nothingWrong = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  assert.deepStrictEqual(yield* sql.unsafe(INVARIANTS["ranks"] ?? "no such invariant"), [])
  assert.strictEqual(yield* wrongRanks(sql), 0)
  assert.deepStrictEqual(
    yield* sql`
select 1 where (select count(*) from scores where not hidden and score > 0) <> (select players from (${playersAboveBoth(sql, sql`null::bigint`, sql`null::bigint`)}) p)`,
    [],
  )
})

/** A connection that was killed, or a batch with one point too many for a player. Never a deadlock. */
const isExpected = (error: unknown) =>
  SqlError.isSqlError(error) &&
  (error.reason._tag === "ConnectionError" || ["57P01", "23514"].includes(sqlState(error) ?? ""))

const open = (maxConnections: number) =>
  Effect.gen(function* () {
    const url = yield* (yield* Engine).freshDatabase
    yield* sqlOn(url)
    const sql = yield* PgClient.make({ url, maxConnections, connectTimeout: "30 seconds" })
    yield* sql`insert into users (id, email) select 'player ' || to_char(n, 'FM00'), n || '@example.com' from generate_series(0, ${PLAYERS}::int) n`
    return { url, sql }
  })

layer(Engine.layer, { timeout: "90 seconds", excludeTestServices: true })("The nodes of ranks", (it) => {
  for (const seed of [1, 2, 3]) {
    it.effect(`are what a count gives after steps, jumps, hides, deletes and rollbacks (seed ${seed})`, () =>
      Effect.gen(function* () {
        const { sql } = yield* open(1)
        const number = numbers(seed)
        for (let n = 0; n < 150; n++) {
          yield* number(8) === 0 ? transaction(number, sql) : change(number, sql)
          if (n % 10 === 9) yield* nothingWrong(sql)
        }
        yield* sql`truncate scores`
        yield* nothingWrong(sql)
      }).pipe(Effect.provide(Reactivity.layer)),
    )
  }

  it.effect(
    "are shared by transactions that change players of one block, none of which waits for another",
    () =>
      Effect.gen(function* () {
        const { url, sql } = yield* open(1)
        yield* sql`insert into scores (user_id, score, reached) select id, 1, nextval('event_id') from users`
        // Each transaction stays open while the next one changes its player; a wait would end with an error.
        const step = (n: number): Effect.Effect<unknown, SqlError.SqlError> =>
          n === 4
            ? Effect.void
            : Effect.gen(function* () {
                const own = yield* PgClient.make({ url, maxConnections: 1 })
                yield* own.withTransaction(
                  Effect.gen(function* () {
                    yield* own`set local lock_timeout = '2s'`
                    yield* own`update scores set score = score + 1 where user_id = ${player(n)}`
                    yield* step(n + 1)
                  }),
                )
              }).pipe(Effect.scoped, Effect.provide(Reactivity.layer))
        yield* step(0)
        yield* nothingWrong(sql)
      }).pipe(Effect.provide(Reactivity.layer)),
  )

  it.effect("are right at every moment under 8 writers whose connections are killed", () =>
    Effect.gen(function* () {
      const { url, sql } = yield* open(2)
      yield* sql`insert into scores (user_id, score, reached) select id, 1, nextval('event_id') from users`
      const so = { written: 0, killed: 0 }
      const writer = Effect.fnUntraced(function* (seed: number) {
        const number = numbers(seed)
        const life = Effect.gen(function* () {
          const own = yield* PgClient.make({ url, maxConnections: 1, applicationName: "writer" })
          for (;;) {
            const kind = number(8)
            if (kind === 0) yield* transaction(number, own)
            else if (kind < 4) yield* change(number, own)
            else
              yield* commitIncrements(
                own,
                Array.from({ length: 1 + number(12) }, () => request(number(PLAYERS))),
              )
            so.written += 1
          }
        }).pipe(
          Effect.scoped,
          Effect.catchDefect(Effect.fail),
          Effect.catchIf(isExpected, () => Effect.void),
        )
        return yield* Effect.forever(life)
      })
      const killer = Effect.forever(
        Effect.gen(function* () {
          yield* Effect.sleep("150 millis")
          const rows = yield* sql`
select pg_terminate_backend(pid) from pg_stat_activity
where application_name = 'writer' and datname = current_database() and state <> 'idle' limit 1`
          so.killed += rows.length
        }),
      )
      const writers = yield* Effect.forEach([1, 2, 3, 4, 5, 6, 7, 8], (seed) =>
        Effect.forkChild(writer(seed)),
      )
      const killing = yield* Effect.forkChild(killer)
      // Until enough has happened, however quick the machine is.
      let looks = 0
      while (looks < 25 || so.written < 300 || so.killed < 10) {
        yield* nothingWrong(sql)
        for (const fiber of writers) {
          const exit = fiber.pollUnsafe()
          if (exit !== undefined) return yield* exit
        }
        looks += 1
      }
      yield* Effect.forEach([killing, ...writers], Fiber.interrupt)
      yield* nothingWrong(sql)
    }).pipe(Effect.provide(Reactivity.layer)),
  )
})
