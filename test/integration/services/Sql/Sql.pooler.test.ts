import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { explain } from "../../../../src/programs/process/Startup.ts"
import * as FakePooler from "../../../support/engines/FakePooler.ts"
import { by, Engine, operatorOn, serviceOn, setup } from "./fixtures.ts"

/** A database behind a pooler, and an operator who is connected to the server itself. */
const behindPooler = Effect.fnUntraced(function* (mode: "refuses" | "ignores") {
  const direct = yield* (yield* Engine).freshDatabase
  const url = new URL(Redacted.value(direct))
  url.port = String(yield* FakePooler.make(Number(url.port), mode))
  const name = url.pathname.slice(1)
  const operator = yield* operatorOn(direct)
  return {
    url: Redacted.make(url.href),
    /** Runs what the line says to run, for this test's database only. */
    run: (line: string) =>
      Effect.forEach(
        line.match(/alter role "\w+" set \w+ = '[^']+'/g) ?? [],
        (statement) => operator.unsafe(statement.replace(" set ", ` in database ${name} set `)),
        { discard: true },
      ),
  }
})

const lineOfStart = (url: Redacted.Redacted) =>
  Effect.map(Effect.flip(Effect.scoped(serviceOn(url))), explain)

layer(Engine.layer, { timeout: "60 seconds", excludeTestServices: true })("Sql behind a pooler", (it) => {
  it.effect("does not start if its startup parameters are refused, and says what to do", () =>
    Effect.gen(function* () {
      const { url } = yield* behindPooler("refuses")
      const line = yield* lineOfStart(url)
      assert.include(line, "a pooler refuses the startup parameter statement_timeout")
      assert.include(line, "ignore_startup_parameters: statement_timeout, lock_timeout")
      assert.include(line, `alter role "scoreboard" set statement_timeout = '2000ms'`)
    }),
  )

  it.effect("does not start without its limits, and starts after what its line says was done", () =>
    Effect.gen(function* () {
      const { url, run } = yield* behindPooler("ignores")
      const line = yield* lineOfStart(url)
      assert.match(line, /a pooler ignores (lock|statement)_timeout, (lock|statement)_timeout\. Run: /)
      yield* run(line)
      const sql = yield* serviceOn(url)
      yield* sql.increment([by("ada")])
    }),
  )

  it.effect("does not start under another isolation that a pooler leaves in force", () =>
    Effect.gen(function* () {
      const { url, run } = yield* behindPooler("ignores")
      yield* run(
        `alter role "scoreboard" set default_transaction_isolation = 'serializable'; ${yield* lineOfStart(url)}`,
      )
      const line = yield* lineOfStart(url)
      assert.include(line, `set default_transaction_isolation = 'read committed'`)
      yield* run(line)
      yield* serviceOn(url)
    }),
  )

  it.effect("commits at read committed, whatever the database's default is", () =>
    Effect.gen(function* () {
      const { url, operator } = yield* setup
      const name = new URL(Redacted.value(url)).pathname.slice(1)
      yield* operator.unsafe(`alter database ${name} set default_transaction_isolation = 'repeatable read'`)
      const sql = yield* serviceOn(url)
      const players = Array.from({ length: 40 }, (_, n) => by(`player-${n}`))
      yield* Effect.forEach(
        Array.from({ length: 100 }, (_, n) => [...players.slice(n % 40), ...players.slice(0, n % 40)]),
        (batch) => sql.increment(batch),
        { concurrency: 16, discard: true },
      )
      assert.deepStrictEqual(yield* operator`select distinct score::int as score from scores`, [
        { score: 100 },
      ])
    }),
  )
})
