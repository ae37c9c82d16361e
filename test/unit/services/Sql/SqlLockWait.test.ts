import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Stream from "effect/Stream"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import { LockTimeoutError, SqlError } from "effect/sql/SqlError"
import * as TestClock from "effect/testing/TestClock"
import {
  waitingForLocks,
  waitingForTable,
  waitingForTransactions,
} from "../../../../src/services/Sql/SqlLockWait.ts"

const LOCK_TIMEOUT = new SqlError({
  reason: new LockTimeoutError({ cause: new Error("canceling statement due to lock timeout") }),
})

const DUMP = {
  pid: 7,
  application: "pg_dump",
  state: "idle in transaction",
  queryStart: null,
  transactionStart: "long ago",
}

/** A database where a backup has every table for as long as `isHeld`. */
const held = Effect.gen(function* () {
  const database = { isHeld: true, asked: [] as Array<string> }
  const answer = (statement: string) =>
    Effect.sync(() => {
      database.asked.push(statement)
      return database.isHeld && statement.includes("pg_stat_activity") ? [DUMP] : []
    })
  const connection: Connection = {
    execute: answer,
    executeRaw: answer,
    executeStream: () => Stream.die("nothing here reads a stream"),
    executeValues: () => Effect.die("nothing here reads values"),
    executeValuesUnprepared: () => Effect.die("nothing here reads values"),
    executeUnprepared: answer,
  }
  const sql = yield* SqlClient.make({
    acquirer: Effect.succeed(connection),
    compiler: PgClient.makeCompiler(),
    driver: "a database that is held",
    spanAttributes: [],
  })
  const attempt = Effect.suspend(() => (database.isHeld ? Effect.fail(LOCK_TIMEOUT) : Effect.succeed("done")))
  return {
    database,
    waits: {
      table: waitingForTable(sql, { what: "a table", table: "scores" }, attempt),
      locks: waitingForLocks(sql, { what: "a table", watcher: sql }, attempt),
      transactions: waitingForTransactions(
        sql,
        { what: "a table", watcher: sql },
        Effect.as(Effect.sleep("7 minutes"), "done"),
      ),
    },
  }
}).pipe(Effect.provide(Reactivity.layer))

/** Counts the lines that are logged. */
const counted = <A, E, R>(work: Effect.Effect<A, E, R>) => {
  const lines: Array<unknown> = []
  return {
    lines,
    work: Effect.provide(work, Logger.layer([Logger.make(({ message }) => lines.push(message))])),
  }
}

const NAMES = ["table", "locks", "transactions"] as const

describe("The wait of a migration", () => {
  it.effect.each(NAMES)("for %s is given up after five minutes, and says who held it up", (name) =>
    Effect.gen(function* () {
      const { waits } = yield* held
      const { lines, work } = counted(Effect.flip(waits[name]))
      const waiting = yield* Effect.forkChild(work)
      yield* TestClock.adjust("299 seconds")
      assert.isUndefined(waiting.pollUnsafe())
      // After a second, and then every 30 seconds.
      assert.strictEqual(lines.length, 10)
      yield* TestClock.adjust("3 seconds")
      const error = yield* Fiber.join(waiting)
      assert.match(String(error), /waited 5m for a table: process 7 \(pg_dump, transaction since long ago/)
    }),
  )

  it.effect.each(NAMES)("for %s ends well when the backup does, after less than five minutes", (name) =>
    Effect.gen(function* () {
      const { database, waits } = yield* held
      const waiting = yield* Effect.forkChild(waits[name])
      yield* TestClock.adjust("4 minutes")
      database.isHeld = false
      yield* TestClock.adjust("3 minutes")
      assert.strictEqual(yield* Fiber.join(waiting), "done")
      if (name !== "transactions") return
      assert.deepStrictEqual(database.asked.slice(-3), [
        "reset statement_timeout",
        "reset lock_timeout",
        "reset default_transaction_isolation",
      ])
    }),
  )
})
