import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { UserId } from "../../../../src/domain/Score.ts"
import { makeLease } from "../../../../src/services/Sql/SqlOutbox.ts"
import { by, Engine, serviceOn, setup } from "./fixtures.ts"

const OPTIONS = { timeout: "30 seconds", excludeTestServices: true } as const

layer(Engine.layer, OPTIONS)("Outbox on PostgreSQL", (it) => {
  it.effect("keeps a fresh commit for its own process, then offers its messages to anyone", () =>
    Effect.gen(function* () {
      const { sql, operator } = yield* setup
      const batch = [by("ada"), by("grace", { key: "k" }), by("grace", { key: "k" })]
      const { outcomes, outboxId } = yield* sql.increment(batch)
      const ids = outcomes.map((outcome) => (outcome._tag === "Counted" ? outcome.eventId : undefined))
      assert.deepStrictEqual(yield* sql.leaseOutbox({ leaseSeconds: 10, limit: 10 }), [])
      const [due] = yield* operator`select extract(epoch from due - at)::int as seconds from outbox`
      assert.deepStrictEqual(due, { seconds: 5 })

      yield* operator`update outbox set due = now()`
      const [leased, ...others] = yield* sql.leaseOutbox({ leaseSeconds: 10, limit: 10 })
      assert.deepStrictEqual(others, [])
      assert.strictEqual(leased?.id, outboxId)
      assert.isAtMost(Math.abs(Date.now() - (leased?.committedAt ?? 0)), 5_000)
      assert.deepStrictEqual(leased?.messages, [
        { id: String(ids[0]), userId: UserId.make("ada"), email: "ada@example.com" },
        { id: String(ids[1]), userId: UserId.make("grace"), email: "grace@example.com" },
      ])
    }),
  )

  it.effect("offers a row again when its lease is over, until it is deleted", () =>
    Effect.gen(function* () {
      const { sql, operator } = yield* setup
      yield* sql.increment([by("ada")])
      yield* operator`update outbox set due = now()`
      const lease = sql.leaseOutbox({ leaseSeconds: 1, limit: 10 })
      const first = yield* lease
      assert.strictEqual(first.length, 1)
      assert.deepStrictEqual(yield* lease, [])
      yield* Effect.sleep("1100 millis")
      const second = yield* lease
      assert.deepStrictEqual(second, first)
      const ids = second.map(({ id }) => id)
      yield* sql.deleteOutbox(ids)
      yield* sql.deleteOutbox(ids)
      yield* sql.deleteOutbox([])
      yield* Effect.sleep("1100 millis")
      assert.deepStrictEqual(yield* lease, [])
    }),
  )

  it.effect(
    "leases what became due since the last lease, and after a minute also what came to light late",
    () =>
      Effect.gen(function* () {
        const { operator } = yield* setup
        const lease = makeLease(operator)
        const insert = (ago: string) =>
          operator`insert into outbox (due, messages) values (now() - ${ago}::interval, '[]')`
        const leased = Effect.map(lease({ leaseSeconds: 60, limit: 2 }), (rows) => rows.length)
        yield* insert("1 hour")
        assert.strictEqual(yield* leased, 1)
        yield* insert("0 seconds")
        yield* insert("1 hour")
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(yield* leased, 1)
        assert.strictEqual(yield* leased, 0)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* leased, 1)

        // A backlog is leased whole, however often it has to be asked for.
        yield* TestClock.adjust("1 minute")
        for (let n = 0; n < 5; n++) yield* insert("1 hour")
        assert.deepStrictEqual([yield* leased, yield* leased, yield* leased], [2, 2, 1])
      }).pipe(Effect.provide(TestClock.layer())),
  )

  it.effect("gives no row to two sweepers, and leaves none", () =>
    Effect.gen(function* () {
      const { sql, operator, url } = yield* setup
      const other = yield* serviceOn(url)
      for (let n = 0; n < 60; n++) yield* sql.increment([by("ada")])
      yield* operator`update outbox set due = now()`
      const sweep = (sweeper: typeof sql) =>
        Effect.gen(function* () {
          const all: Array<string> = []
          while (true) {
            const rows = yield* sweeper.leaseOutbox({ leaseSeconds: 60, limit: 3 })
            if (rows.length === 0) return all
            all.push(...rows.map(({ id }) => id))
          }
        })
      const taken = yield* Effect.all([sweep(sql), sweep(other), sweep(sql), sweep(other)], {
        concurrency: "unbounded",
      })
      assert.strictEqual(taken.flat().length, 60)
      assert.strictEqual(new Set(taken.flat()).size, 60)
    }),
  )

  it.effect("skips a row that is not valid, which stays in the table, and gives the others", () =>
    Effect.gen(function* () {
      const { sql, operator } = yield* setup
      yield* sql.increment([by("ada")])
      yield* operator`insert into outbox (messages) values ('{"not": "a list"}'), ('[{"id": 1}]'), ('[]')`
      yield* sql.increment([by("grace")])
      yield* operator`update outbox set due = now()`
      const rows = yield* sql.leaseOutbox({ leaseSeconds: 60, limit: 10 })
      assert.deepStrictEqual(
        rows.map(({ messages }) => messages.map(({ userId }) => userId)),
        [["ada"], [], ["grace"]],
      )
      assert.deepStrictEqual(yield* operator`select count(*)::int as rows from outbox`, [{ rows: 5 }])
    }),
  )
})
