import { assert, layer } from "@effect/vitest"
import type * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type * as Statement from "effect/sql/Statement"
import { UserId } from "../../../../src/domain/Score.ts"
import { incrementsStatement } from "../../../../src/services/Sql/SqlCommit.ts"
import { lookUpStatement } from "../../../../src/services/Sql/SqlImportStatements.ts"
import { EVERYTHING_SECONDS, leaseStatement } from "../../../../src/services/Sql/SqlOutbox.ts"
import { playersStatement } from "../../../../src/services/Sql/SqlPlayers.ts"
import { pruneKeysStatement } from "../../../../src/services/Sql/SqlPruning.ts"
import { standingStatement } from "../../../../src/services/Sql/SqlRanks.ts"
import { by, Engine, operatorOn, setup } from "./fixtures.ts"

const OPTIONS = { timeout: "60 seconds", excludeTestServices: true } as const

/** Enough that a wrong plan reads far more than a right one, few enough for a second. */
const MANY = 20_000

/** As the server takes an array or a text inside EXECUTE. */
const literal = (value: unknown): string =>
  Array.isArray(value)
    ? literal(`{${value.map((item) => JSON.stringify(item)).join(",")}}`)
    : `'${String(value).replaceAll("'", "''")}'`

/**
 * Runs a statement by the plan that is kept for all values, and gives what it did, line by line. `meanwhile` happens after
 * the plan was made.
 */
const performed = (
  operator: PgClient.PgClient,
  statement: Statement.Statement<unknown>,
  option: "buffers" | "buffers off" = "buffers off",
  meanwhile?: Effect.Effect<unknown, SqlError>,
) =>
  operator.withTransaction(
    Effect.gen(function* () {
      const [text, values] = statement.compile()
      yield* operator`set local plan_cache_mode = force_generic_plan`
      yield* operator.unsafe(`prepare performed as ${text}`)
      const execute = `execute performed${values.length === 0 ? "" : `(${values.map(literal).join(", ")})`}`
      if (meanwhile !== undefined) yield* Effect.andThen(operator.unsafe(execute).unprepared, meanwhile)
      const rows = yield* operator.unsafe<{ readonly "QUERY PLAN": string }>(
        `explain (analyze, costs off, timing off, ${option}) ${execute}`,
      ).unprepared
      yield* operator`deallocate performed`
      return rows.map((row) => row["QUERY PLAN"].trim())
    }),
  )

/** How many pages a statement reads; undone. */
const pagesOf = (operator: PgClient.PgClient, statement: Statement.Statement<unknown>) =>
  Effect.map(performed(operator, statement, "buffers"), (lines) => {
    // A plan that touches no page has no such line.
    const buffers = lines.find((line) => line.startsWith("Buffers: shared")) ?? ""
    return Array.from(buffers.matchAll(/ (?:hit|read)=(\d+)/g), ([, n]) => Number(n)).reduce(
      (a, b) => a + b,
      0,
    )
  })

layer(Engine.layer, OPTIONS)("What a statement reads", (it) => {
  it.effect("commits a batch without comparing every row with every other", () =>
    Effect.gen(function* () {
      const { operator } = yield* setup
      const batch = Array.from({ length: 100 }, (_, player) => by(`player-${player}`, { key: "k" }))
      const lines = yield* performed(operator, incrementsStatement(operator, batch))
      assert.isNotEmpty(lines)
      assert.deepStrictEqual(
        lines.filter((line) => line.startsWith("Rows Removed by Join Filter")),
        [],
      )
    }),
  )

  it.effect(
    "looks up the scores of an import by index, by the plan that is kept from when there were none",
    () =>
      Effect.gen(function* () {
        const { operator } = yield* setup
        const scores = Array.from({ length: 100 }, (_, player) => ({
          userId: UserId.make(`player-${player}`),
          score: 1,
          email: undefined,
          reachedAtMicros: undefined,
        }))
        const lines = yield* performed(
          operator,
          lookUpStatement(operator, scores),
          "buffers off",
          operator`
insert into operator_keys select 'imported', 'player-' || n || ' 1', 'player-' || n, n from generate_series(1, ${MANY}::int) n`,
        )
        assert.isNotEmpty(lines)
        assert.deepStrictEqual(
          lines.filter((line) => /Seq Scan|Bitmap|Removed by/.test(line)),
          [],
        )
      }),
  )

  it.effect("leases a few commits of a long backlog without reading all of it", () =>
    Effect.gen(function* () {
      const { operator } = yield* setup
      yield* operator`
insert into outbox (due, messages) select now() - interval '1 second', '[]' from generate_series(1, ${MANY}::int)`
      yield* operator`vacuum (analyze) outbox`
      const lines = yield* performed(
        operator,
        leaseStatement(operator, { leaseSeconds: 10, limit: 50, withinSeconds: EVERYTHING_SECONDS }),
      )
      assert.isNotEmpty(lines)
      assert.deepStrictEqual(
        lines.filter((line) => line.includes("Seq Scan on outbox")),
        [],
      )
    }),
  )

  it.effect("reads as much for a lease and for a version under an old snapshot as without one", () =>
    Effect.gen(function* () {
      const { url, operator } = yield* setup
      const old = yield* operatorOn(url)
      /** Some minutes of commits that were sent, as the tables have them while nobody may remove dead rows. */
      const churn = Effect.gen(function* () {
        yield* operator`
insert into outbox (due, messages) select now() - interval '1 minute' - n * interval '10 ms', '[]' from generate_series(1, ${MANY}::int) n`
        yield* operator`delete from outbox`
        yield* operator`
do $$ begin for n in 1..3000 loop perform board_moved(); commit; end loop; end $$`
        // As autovacuum would: it counts dead rows, too, and cannot remove them.
        yield* operator`vacuum (analyze) outbox, board_version`
      })
      const read = Effect.gen(function* () {
        const lease = { leaseSeconds: 10, limit: 50, withinSeconds: 3 }
        return {
          lease: yield* pagesOf(operator, leaseStatement(operator, lease)),
          version: yield* pagesOf(operator, operator`select board_moved()`),
        }
      })
      yield* churn
      const without = yield* read
      yield* old.withTransaction(
        Effect.gen(function* () {
          yield* old`set transaction isolation level repeatable read`
          yield* old`select 1 from scores`
          yield* churn
          const during = yield* read
          assert.isAbove(during.version, 0, "pages are counted")
          // A page or two more on the way down two larger trees.
          assert.isAtMost(during.lease, without.lease + 6)
          assert.isAtMost(during.version, without.version + 6)
        }),
      )
    }),
  )

  it.effect("looks up ranks without reading the nodes of other scores", () =>
    Effect.gen(function* () {
      const { operator } = yield* setup
      // As a bulk load leaves the tables: nobody has analyzed them yet.
      yield* operator`
insert into scores select 'player-' || n, 1 + (hashtext(n::text)::bigint + 2147483648) / 4, n from generate_series(1, 2000) n`
      const statement = standingStatement(operator, { userId: by("player-7").userId, tokenId: undefined })
      const lookedUp = yield* performed(operator, statement)
      yield* operator`vacuum (analyze) scores, rank_node`
      const lines = [...lookedUp, ...(yield* performed(operator, statement))]
      assert.isNotEmpty(lines.filter((line) => line.includes("on rank_node")))
      assert.deepStrictEqual(
        lines.filter((line) => line.includes("Seq Scan on rank_node")),
        [],
      )
    }),
  )

  it.effect("finds a player by id or by e-mail without reading the others", () =>
    Effect.gen(function* () {
      const { operator } = yield* setup
      yield* operator`
insert into users (id, email) select 'player-' || n, n || '@example.com' from generate_series(1, ${MANY}::int) n`
      yield* operator`vacuum (analyze) users`
      for (const [column, value] of [
        ["id", "player-7"],
        ["email", "7@example.com"],
      ] as const) {
        const lines = yield* performed(operator, playersStatement(operator, column, value))
        assert.isNotEmpty(lines)
        assert.deepStrictEqual(
          lines.filter((line) => line.includes("Seq Scan on users")),
          [],
        )
      }
    }),
  )

  it.effect("prunes old keys without reading the newer ones that took the place of older", () =>
    Effect.gen(function* () {
      const { operator } = yield* setup
      const keys = (age: string) => operator`
insert into idempotency_keys (user_id, key, event_id, at)
select 'ada', gen_random_uuid()::text, n, now() - ${age}::interval from generate_series(1, ${MANY}::int) n`
      yield* keys("25 hours")
      yield* operator`vacuum (analyze) idempotency_keys`
      const pruned = yield* performed(operator, pruneKeysStatement(operator, MANY))
      assert.include(pruned.join("\n"), `actual rows=${MANY}.00`)
      yield* operator`vacuum (analyze) idempotency_keys`
      yield* keys("1 hour")
      const lines = yield* performed(operator, pruneKeysStatement(operator, 1000))
      assert.deepStrictEqual(
        lines.filter((line) => /^Rows Removed by|Seq Scan on idempotency_keys/.test(line)),
        [],
      )
    }),
  )
})
