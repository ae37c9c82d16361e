import { assert, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import { WorkerPrograms } from "../../../../src/programs/process/WorkerProcess.ts"
import { openViewer, until } from "../../../support/fixtures.ts"
import { api, ask, bearer, Engine, increment, origin, signIn } from "../http/fixtures.ts"
import { admin, consistent, done, EMAIL, idOf } from "./fixtures.ts"

const OPTIONS = { timeout: "60 seconds", excludeTestServices: true } as const

layer(Engine.layer, OPTIONS)("npm run admin -- correct and undo", (it) => {
  it.effect("corrects a score up and down, never below 0, and every correction is in the history", () =>
    Effect.gen(function* () {
      yield* Layer.build(WorkerPrograms)
      const token = yield* signIn()
      assert.strictEqual((yield* increment(token)).status, 200)
      const viewer = yield* openViewer(`${yield* origin}/scores/websocket`)
      const [raised] = yield* done("correct", EMAIL, "--amount", "41", "--reason", "lost in an outage")
      assert.strictEqual(raised?.["score"], 42)
      yield* viewer.until((frame) => frame.includes('"score":42'), "1500 millis")
      const [lowered] = yield* done("correct", EMAIL, "--amount=-2", "--reason", "counted twice")
      assert.strictEqual(lowered?.["score"], 40)
      const refused = yield* admin("correct", EMAIL, "--amount=-41", "--reason", "too much")
      assert.strictEqual(refused.code, 1)
      assert.include(refused.err, "cannot go below 0")
      assert.strictEqual(refused.out, "")
      yield* consistent
      const { body } = yield* ask("/users/me/history", { headers: bearer(token) })
      assert.include(body, '"score":40')
      assert.notInclude(body, "counted twice")
      yield* done("correct", EMAIL, "--amount=-40", "--reason", "all of it")
      yield* viewer.until((frame) => !frame.includes(EMAIL), "1500 millis")
      yield* consistent
    }).pipe(Effect.provide(api())),
  )

  it.effect("a correction of the largest amount holds nobody up for long", () =>
    Effect.gen(function* () {
      const token = yield* signIn()
      const correction = done("correct", EMAIL, "--amount", "10000", "--reason", "large")
      const increments = Effect.forEach(Array.from({ length: 30 }), () =>
        Effect.tap(increment(token), Effect.sleep("50 millis")),
      )
      const [, answers] = yield* Effect.all([correction, increments], { concurrency: 2 })
      for (const { status } of answers) assert.strictEqual(status, 200)
      yield* consistent
    }).pipe(Effect.provide(api({ env: { INCREMENT_RATE_LIMIT: "0" } }))),
  )

  it.effect(
    "under a key, a correction counts once, also when the command is killed before it hears of it",
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* increment(yield* signIn())
        const correct = (amount: string, player = EMAIL) =>
          ["correct", player, `--amount=${amount}`, "--reason", "lost", "--key", "ticket-17"] as const
        const waiting = sql<{ readonly pid: number }>`
select pid from pg_stat_activity where application_name = 'scoreboard admin' and datname = current_database()
  and wait_event_type = 'Lock'`
        const holding = yield* Deferred.make<void>()
        const release = yield* Deferred.make<void>()
        const holder = yield* sql
          .withTransaction(
            sql`select 1 from scores for update`.pipe(
              Effect.andThen(Deferred.succeed(holding, undefined)),
              Effect.andThen(Deferred.await(release)),
            ),
          )
          .pipe(Effect.forkChild)
        yield* Deferred.await(holding)
        const killed = yield* Effect.forkChild(admin(...correct("-1")))
        yield* until("the command waits for the row", waiting, (rows) => rows.length === 1)
        yield* Fiber.interrupt(killed)
        yield* Deferred.succeed(release, undefined)
        yield* Fiber.join(holder)

        const [first] = yield* done(...correct("-1"))
        const [second] = yield* done(...correct("-1"))
        assert.deepInclude(first, { amount: -1, score: 0 })
        assert.deepStrictEqual(second, { ...first, repeated: true })
        assert.deepStrictEqual(
          yield* sql`select kind, amount, score_after::int as score from score_events order by id`,
          [
            { kind: "increment", amount: 1, score: 1 },
            { kind: "corrected", amount: -1, score: 0 },
          ],
        )
        const other = yield* admin(...correct("-2"))
        assert.deepStrictEqual([other.code, other.out], [1, ""])
        assert.include(other.err, "The key ticket-17 has counted already, for another correction")
        yield* consistent
      }).pipe(Effect.provide(api())),
  )

  it.effect("undoes a correction once, and nothing else", () =>
    Effect.gen(function* () {
      const token = yield* signIn()
      yield* increment(token)
      const [corrected] = yield* done("correct", EMAIL, "--amount", "10", "--reason", "generous")
      yield* increment(token)
      const undo = (event: unknown) =>
        ["undo", EMAIL, "--event", String(event), "--reason", "too generous", "--by", "ada"] as const
      const [undone] = yield* done(...undo(corrected?.["event"]))
      assert.deepInclude(undone, {
        userId: yield* idOf(EMAIL),
        amount: -10,
        score: 2,
        undoes: corrected?.["event"],
      })
      const events = yield* done("history", "export", "--user", EMAIL)
      assert.deepStrictEqual(
        events.map(({ kind, amount, score }) => [kind, amount, score]),
        [
          ["increment", 1, 1],
          ["corrected", 10, 11],
          ["increment", 1, 12],
          ["undone", -10, 2],
        ],
      )
      assert.deepInclude(events.at(-1), {
        id: undone?.["event"],
        undoes: corrected?.["event"],
        reason: "too generous",
        actor: "ada",
      })
      for (const [event, why] of [
        [corrected?.["event"], `was undone already, by event ${String(undone?.["event"])}`],
        [events[0]?.["id"], "is no correction: its kind is increment"],
      ] as const) {
        const refused = yield* admin(...undo(event))
        assert.deepStrictEqual([refused.code, refused.out], [1, ""])
        assert.include(refused.err, why)
      }
      const { body } = yield* ask("/users/me/history", { headers: bearer(token) })
      assert.include(body, '"amount":-10,"score":2')
      yield* consistent
    }).pipe(Effect.provide(api())),
  )

  it.effect("refuse what is not a correction", () =>
    Effect.gen(function* () {
      for (const args of [
        ["correct", EMAIL, "--amount", "0", "--reason", "x"],
        ["correct", EMAIL, "--amount", "10001", "--reason", "x"],
        ["correct", EMAIL, "--amount", "1", "--reason", "x", "--key", "two words"],
        ["undo", EMAIL, "--event", "9".repeat(19), "--reason", "x"],
      ]) {
        const { code } = yield* admin(...args)
        assert.notStrictEqual(code, 0, args.join(" "))
      }
      const sql = yield* SqlClient.SqlClient
      assert.deepStrictEqual(yield* sql`select * from score_events`, [])
    }).pipe(Effect.provide(api())),
  )
})
