import { assert, layer } from "@effect/vitest"
import type * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import type * as Statement from "effect/sql/Statement"
import { incrementsStatement } from "../../../../src/services/Sql/SqlCommit.ts"
import { leaseStatement } from "../../../../src/services/Sql/SqlOutbox.ts"
import { playersStatement } from "../../../../src/services/Sql/SqlPlayers.ts"
import { pruneKeysStatement } from "../../../../src/services/Sql/SqlPruning.ts"
import { by, Engine, setup } from "./fixtures.ts"

const OPTIONS = { timeout: "60 seconds", excludeTestServices: true } as const

/** Enough that a wrong plan reads far more than a right one, few enough for a second. */
const MANY = 20_000

/** As the server takes an array or a text inside EXECUTE. */
const literal = (value: unknown): string =>
  Array.isArray(value)
    ? literal(`{${value.map((item) => JSON.stringify(item)).join(",")}}`)
    : `'${String(value).replaceAll("'", "''")}'`

/** Runs a statement by the plan that is kept for all values, and gives what it did, line by line. */
const performed = (operator: PgClient.PgClient, statement: Statement.Statement<unknown>) =>
  operator.withTransaction(
    Effect.gen(function* () {
      const [text, values] = statement.compile()
      yield* operator`set local plan_cache_mode = force_generic_plan`
      yield* operator.unsafe(`prepare performed as ${text}`)
      const rows = yield* operator.unsafe<{ readonly "QUERY PLAN": string }>(
        `explain (analyze, costs off, timing off) execute performed(${values.map(literal).join(", ")})`,
      ).unprepared
      yield* operator`deallocate performed`
      return rows.map((row) => row["QUERY PLAN"].trim())
    }),
  )

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

  it.effect("leases a few commits of a long backlog without reading all of it", () =>
    Effect.gen(function* () {
      const { operator } = yield* setup
      yield* operator`
insert into outbox (due, messages) select now() - interval '1 second', '[]' from generate_series(1, ${MANY}::int)`
      yield* operator`vacuum (analyze) outbox`
      const lines = yield* performed(operator, leaseStatement(operator, { leaseSeconds: 10, limit: 50 }))
      assert.isNotEmpty(lines)
      assert.deepStrictEqual(
        lines.filter((line) => line.includes("Seq Scan on outbox")),
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
