import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import { ApiServer } from "../../../../src/programs/http/ApiServer.ts"
import { WorkerPrograms } from "../../../../src/programs/process/WorkerProcess.ts"
import { Sql } from "../../../../src/services/Sql/Sql.ts"
import { openViewer, until } from "../../../support/fixtures.ts"
import { api, ask, bearer, Engine, increment, login, origin, refresh, signIn } from "../http/fixtures.ts"
import { admin, consistent, done, EMAIL, idOf } from "./fixtures.ts"

const OPTIONS = { timeout: "60 seconds", excludeTestServices: true } as const

layer(Engine.layer, OPTIONS)("npm run admin", (it) => {
  it.effect(
    "hides a player from the live board within a second and refuses their increments, until restored",
    () =>
      Effect.gen(function* () {
        yield* Layer.build(WorkerPrograms)
        const token = yield* signIn()
        assert.strictEqual((yield* increment(token)).status, 200)
        const viewer = yield* openViewer(`${yield* origin}/scores/websocket`)
        yield* viewer.until((frame) => frame.includes(EMAIL))

        const [hidden] = yield* done("hide", EMAIL, "--reason", "spam", "--by", "ada")
        assert.deepStrictEqual(hidden, { userId: yield* idOf(EMAIL), hidden: true, changed: true })
        yield* viewer.until((frame) => !frame.includes(EMAIL), "1500 millis")
        assert.strictEqual((yield* increment(token)).status, 403)
        assert.strictEqual((yield* increment(token)).status, 403)

        const [again] = yield* done("hide", yield* idOf(EMAIL), "--reason", "spam")
        assert.strictEqual(again?.["changed"], false)

        yield* done("restore", EMAIL, "--reason", "a mistake")
        yield* viewer.until((frame) => frame.includes(`"${EMAIL}","score":1`), "1500 millis")
        assert.strictEqual((yield* increment(token)).status, 200)
        yield* consistent

        const history = yield* done("history", "export", "--user", EMAIL)
        assert.deepStrictEqual(
          history.map(({ kind, amount, score, reason }) => [kind, amount, score, reason]),
          [
            ["increment", 1, 1, null],
            ["hidden", 0, 1, "spam"],
            ["restored", 0, 1, "a mistake"],
            ["increment", 1, 2, null],
          ],
        )
        assert.strictEqual(history[1]?.["actor"], "ada")
        assert.isNotEmpty(history[2]?.["actor"])
      }).pipe(Effect.provide(api())),
  )

  it.effect("ends all sign-ins of a player, refreshes included, and of nobody else", () =>
    Effect.gen(function* () {
      const first = yield* login
      const second = yield* login
      const other = yield* signIn(1)
      assert.strictEqual((yield* increment(first.accessToken)).status, 200)

      const [ended] = yield* done("sessions", "end", EMAIL, "--reason", "a stolen phone", "--by", "ada")
      assert.strictEqual(ended?.["userId"], yield* idOf(EMAIL))
      assert.match(String(ended?.["signedOutAt"]), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
      for (const { accessToken, refreshToken } of [first, second]) {
        assert.strictEqual((yield* increment(accessToken)).status, 401)
        for (const path of ["/users/me/history", "/scores/me"])
          assert.strictEqual((yield* ask(path, { headers: bearer(accessToken) })).status, 401)
        assert.strictEqual((yield* refresh(refreshToken)).status, 401)
      }
      assert.strictEqual((yield* increment(other)).status, 200)
      // Tokens say in whole seconds when their player signed in, so the next second is surely after the end.
      yield* until("a new sign-in", Effect.flatMap(signIn(), increment), ({ status }) => status === 200)

      yield* done("sessions", "end", "player1@example.com", "--reason", "unused")
      assert.strictEqual((yield* increment(other)).status, 401)
      yield* consistent
      const history = yield* done("history", "export", "--user", EMAIL)
      assert.deepStrictEqual(
        history.map(({ kind, amount, score, reason }) => [kind, amount, score, reason]),
        [
          ["increment", 1, 1, null],
          ["signed-out", 0, 1, "a stolen phone"],
          ["increment", 1, 2, null],
        ],
      )
      assert.strictEqual(history[1]?.["actor"], "ada")
      const nobody = yield* admin("sessions", "end", "x".repeat(10_000), "--reason", "a typing error")
      assert.strictEqual(nobody.code, 1)
      assert.include(nobody.err, "No player has the id")
    }).pipe(Effect.provide(api({ players: 2 }))),
  )

  it.effect("ends the sign-ins of a player who never scored", () =>
    Effect.gen(function* () {
      const token = yield* signIn()
      yield* done("sessions", "end", EMAIL, "--reason", "asked for it")
      yield* done("sessions", "end", EMAIL, "--reason", "asked again")
      assert.strictEqual((yield* increment(token)).status, 401)
      yield* consistent
    }).pipe(Effect.provide(api())),
  )

  it.effect("hides a player who has no score yet, and leaves none on the board afterwards", () =>
    Effect.gen(function* () {
      const token = yield* signIn()
      yield* done("hide", EMAIL, "--reason", "spam")
      assert.strictEqual((yield* increment(token)).status, 403)
      yield* done("restore", EMAIL, "--reason", "a mistake")
      assert.deepStrictEqual((yield* (yield* Sql).top(10)).scores, [])
      assert.strictEqual((yield* increment(token)).status, 200)
      yield* consistent
    }).pipe(Effect.provide(api())),
  )

  it.effect("names the players where an e-mail is not one's own, and changes nothing", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`insert into users (id, email) values ('twin-1', 'twin@example.com'), ('twin-2', 'twin@example.com')`
      const ambiguous = yield* admin("hide", "twin@example.com", "--reason", "spam")
      assert.strictEqual(ambiguous.code, 1)
      assert.include(ambiguous.err, "twin-1")
      assert.include(ambiguous.err, "twin-2")
      const unknown = yield* admin("hide", "nobody@example.com", "--reason", "spam")
      assert.strictEqual(unknown.code, 1)
      assert.include(unknown.err, "No player")
      assert.deepStrictEqual(yield* sql`select * from score_events`, [])
      yield* done("hide", "twin-2", "--reason", "spam")
      const rows = yield* sql`select user_id from scores where hidden`
      assert.deepStrictEqual(rows, [{ user_id: "twin-2" }])
    }).pipe(Effect.provide(api())),
  )

  it.effect("refuses what is no command, and names what is missing", () =>
    Effect.gen(function* () {
      for (const args of [
        ["hide", EMAIL, "--reason", ""],
        ["hide", EMAIL],
        ["vanish", EMAIL],
      ]) {
        const { code } = yield* admin(...args)
        assert.notStrictEqual(code, 0, args.join(" "))
      }
      const sql = yield* SqlClient.SqlClient
      assert.deepStrictEqual(yield* sql`select * from score_events`, [])
    }).pipe(Effect.provide(api())),
  )

  it.effect(
    "exports more rows than it reads at a time, each once and in order, and keeps to the players it is asked for",
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* ApiServer
        yield* sql`insert into users (id, email) values ('a', 'a@x'), ('b', 'b@x')`
        yield* sql`insert into score_events (user_id, id, amount, score_after)
        select case when n % 2 = 0 then 'a' else 'b' end, n, 1, (n + 1) / 2 from generate_series(1, 4001) n`
        const all = yield* done("history", "export")
        assert.strictEqual(all.length, 4001)
        const ids = all.map(({ userId, id }) => `${String(userId)} ${String(id).padStart(5, "0")}`)
        assert.deepStrictEqual(ids, ids.toSorted())
        assert.strictEqual(new Set(ids).size, ids.length)
        assert.strictEqual((yield* done("history", "export", "--user", "a@x")).length, 2000)
      }).pipe(Effect.provide(api())),
  )
})
