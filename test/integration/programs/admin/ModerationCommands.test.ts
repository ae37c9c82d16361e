import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import { execFile } from "node:child_process"
import { join } from "node:path"
import { ApiServer } from "../../../../src/programs/http/ApiServer.ts"
import { WorkerPrograms } from "../../../../src/programs/process/WorkerProcess.ts"
import { Sql } from "../../../../src/services/Sql/Sql.ts"
import { openViewer, until } from "../../../support/fixtures.ts"
import { api, ask, bearer, Engine, increment, login, origin, refresh, signIn } from "../http/fixtures.ts"

const OPTIONS = { timeout: "60 seconds", excludeTestServices: true } as const
const MAIN = join(import.meta.dirname, "../../../../src/main-admin.ts")

/** Runs the command as a process of its own, on the database of the API under test. */
const admin = (...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { config } = yield* PgClient.PgClient
    const env = { DATABASE_URL: config.url === undefined ? "" : Redacted.value(config.url) }
    return yield* Effect.callback<{ code: number; out: string; err: string }>((resume) => {
      const child = execFile(process.execPath, [MAIN, ...args], { env }, (error, out, err) =>
        resume(Effect.succeed({ code: error === null ? 0 : Number(error.code), out, err })),
      )
      return Effect.sync(() => child.kill("SIGKILL"))
    })
  })

const Line = Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown))
const decodeLine = Schema.decodeUnknownSync(Line)
const lines = (out: string) =>
  out
    .trimEnd()
    .split("\n")
    .map((line) => decodeLine(line))

/** An operator's command that succeeds, and what it reports. */
const done = (...args: ReadonlyArray<string>) =>
  Effect.map(admin(...args), ({ code, out, err }) => {
    assert.strictEqual(code, 0, err)
    return lines(out)
  })

const idOf = (email: string) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const [player] = yield* sql<{ readonly id: string }>`select id from users where email = ${email}`
    return player?.id ?? ""
  })

const EMAIL = "player0@example.com"

/** The amounts of all history sum to the scores, and no score is below 0. */
const consistent = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const wrong = yield* sql`
select user_id from scores s full join (select user_id, sum(coalesce(points, amount)) as total from score_events group by user_id) e using (user_id)
where s.score is distinct from e.total or s.score < 0`
  assert.deepStrictEqual(wrong, [])
})

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

  it.effect("refuses what is not a correction, and names what is missing", () =>
    Effect.gen(function* () {
      for (const args of [
        ["correct", EMAIL, "--amount", "0", "--reason", "x"],
        ["correct", EMAIL, "--amount", "10001", "--reason", "x"],
        ["correct", EMAIL, "--amount", "1", "--reason", ""],
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
})
