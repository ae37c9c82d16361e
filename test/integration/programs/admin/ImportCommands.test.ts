import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import { spawn } from "node:child_process"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { UserId } from "../../../../src/domain/Score.ts"
import { WorkerPrograms } from "../../../../src/programs/process/WorkerProcess.ts"
import { Sql } from "../../../../src/services/Sql/Sql.ts"
import { json } from "../../../support/engines/FakeCognito.ts"
import { openViewer, temporaryFolder, until } from "../../../support/fixtures.ts"
import { api, ask, bearer, Engine, increment, origin, signIn } from "../http/fixtures.ts"
import { apiOnPool, Provider } from "../http/providerFixtures.ts"

const OPTIONS = { timeout: "120 seconds", excludeTestServices: true } as const
const MAIN = join(import.meta.dirname, "../../../../src/main-admin.ts")

/** Starts an import on the database of the API under test; the process is gone with the scope. */
const start = (...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { config } = yield* PgClient.PgClient
    const env = { DATABASE_URL: config.url === undefined ? "" : Redacted.value(config.url) }
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => spawn(process.execPath, [MAIN, "import", ...args], { env })),
      (running) => Effect.sync(() => running.kill("SIGKILL")),
    )
    const written = { out: "", err: "" }
    child.stdout.on("data", (data) => (written.out += String(data)))
    child.stderr.on("data", (data) => (written.err += String(data)))
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve))
    return { child, ended: Effect.promise(() => ended), written }
  })

const Line = Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown))
const decodeLine = Schema.decodeUnknownSync(Line)

/** An import that runs to its end: its exit code, its summary, and what it says on standard error. */
const run = (...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { ended, written } = yield* start(...args)
    const code = yield* ended
    return { code, summary: written.out === "" ? undefined : decodeLine(written.out), err: written.err }
  }).pipe(Effect.scoped)

const written = Effect.fnUntraced(function* (name: string, lines: ReadonlyArray<string>) {
  const path = join(yield* temporaryFolder, name)
  yield* Effect.promise(() => writeFile(path, lines.join("\n")))
  return path
})

const manyPlayers = (count: number) => [
  "id,email,score",
  ...Array.from({ length: count }, (_, n) => `player ${n},p${n}@example.com,${1 + (n % 20)}`),
]

/** Scores as the API reads them, best first. */
const board = Effect.flatMap(Sql, (sql) => Effect.map(sql.top(10), ({ scores }) => scores))

layer(Engine.layer, OPTIONS)("npm run admin -- import", (it) => {
  it.effect(
    "imports what is right, names every other line, shows it live, and a repeat changes nothing",
    () =>
      Effect.gen(function* () {
        yield* Layer.build(WorkerPrograms)
        const token = yield* signIn()
        assert.strictEqual((yield* increment(token)).status, 200)
        const sql = yield* SqlClient.SqlClient
        const [me] = yield* sql<{ readonly id: string }>`select id from users`
        const viewer = yield* openViewer(`${yield* origin}/scores/websocket`)
        const file = yield* written("old game.csv", [
          "score,id,email,country",
          `40,${me?.id},someone@example.com,NO`,
          "30,ada,ada@example.com,SE",
          "1e3,grace,grace@example.com,SE",
          "3,,nobody@example.com,SE",
          "7,linus,,FI",
          "8,ken,not an address,US",
          "31,ada,ada@example.com,SE",
          "9,dennis,dennis@example.com,US",
        ])
        const expected = { file: "old game.csv", lines: 8, leftOut: 5 }
        const dry = yield* run(file, "--dry-run", "--verified")
        assert.deepStrictEqual(dry.summary, { ...expected, dryRun: true, added: 2, set: 1, repeated: 0 })
        assert.deepStrictEqual(yield* sql`select kind from score_events`, [{ kind: "increment" }])

        const first = yield* run(file, "--verified", "--by", "root")
        assert.strictEqual(first.code, 1)
        assert.deepStrictEqual(first.summary, { ...expected, dryRun: false, added: 2, set: 1, repeated: 0 })
        const problems = first.err.split("\n").filter((line) => line.startsWith("line "))
        assert.deepStrictEqual(problems.toSorted(), [
          "line 4: the score is not an integer from 0 to 9007199000000000",
          "line 5: the id is missing",
          "line 6: the player is unknown, and the e-mail is missing",
          "line 7: the player is unknown, and the e-mail is not an address",
          "line 8: the id is on line 3 already",
        ])
        assert.include(first.err, "not used: country")
        assert.match(first.err, /8 lines, .* a second, 100 % of the file/)
        assert.match(first.err, /Lines left out: 5/)
        assert.notInclude(first.err, "@")
        yield* viewer.until((frame) => frame.includes('"ada@example.com","score":30'), "1500 millis")

        assert.strictEqual((yield* increment(token)).status, 200)
        const second = yield* run(file, "--verified")
        assert.strictEqual(second.code, 1)
        assert.deepStrictEqual(second.summary, { ...expected, dryRun: false, added: 0, set: 0, repeated: 3 })
        assert.deepStrictEqual(yield* board, [
          { email: "player0@example.com", score: 41 },
          { email: "ada@example.com", score: 30 },
          { email: "dennis@example.com", score: 9 },
        ])
        const { body } = yield* ask("/users/me/history", { headers: bearer(token) })
        assert.include(body, '"amount":39,"score":40')
        assert.deepStrictEqual(
          yield* sql`select distinct actor, reason from score_events where kind = 'imported'`,
          [{ actor: "root", reason: "old game.csv" }],
        )
      }).pipe(Effect.provide(api())),
  )

  it.effect("reads NDJSON, and ends with 0 when every line is in", () =>
    Effect.gen(function* () {
      const file = yield* written("players.ndjson", [
        '{"id":"ada","email":"ada@example.com","score":3,"reachedAt":"2024-01-01T00:00:01Z"}',
        '{"id":"grace","email":"grace@example.com","score":3,"reachedAt":"2024-01-01T01:00:00+01:00"}',
      ])
      const { code, summary, err } = yield* run(file, "--verified")
      assert.strictEqual(code, 0, err)
      assert.strictEqual(summary?.["added"], 2)
      assert.deepStrictEqual(
        (yield* board).map(({ email }) => email),
        ["grace@example.com", "ada@example.com"],
      )
    }).pipe(Effect.provide(api())),
  )

  it.effect(
    "continues after an interruption and a kill in the middle, beside a second run of the same file and increments",
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const token = yield* signIn()
        const file = yield* written("players.csv", manyPlayers(1_500))
        const imported = Effect.map(
          sql<{ readonly n: number }>`select count(*)::int as n from score_events where kind = 'imported'`,
          ([row]) => row?.n ?? 0,
        )
        // Both runs stop at a row that somebody locks, so they are surely ended in the middle.
        const isWaiting = Effect.map(
          sql`select 1 from pg_stat_activity where application_name = 'scoreboard import' and wait_event_type = 'Lock'`,
          (rows) => rows.length > 0,
        )
        yield* sql`insert into users (id, email) values ('player 700', 'p700@example.com')`
        yield* sql`insert into scores (user_id, score, reached) values ('player 700', 0, 0)`
        const release = yield* Deferred.make<void>()
        const lock = yield* sql`select from scores where user_id = 'player 700' for update`.pipe(
          Effect.andThen(Deferred.await(release)),
          sql.withTransaction,
          Effect.forkChild,
        )
        for (const signal of ["SIGINT", "SIGKILL"] as const) {
          const { child, ended, written: said } = yield* start(file, "--verified")
          yield* until("it waits for the row", isWaiting, (waits) => waits)
          child.kill(signal)
          const code = yield* ended
          if (signal === "SIGKILL") continue
          assert.strictEqual(code, 130, said.err)
          assert.match(said.err, /Stopped after \d+ lines. Run the same command again/)
        }
        assert.isAbove(yield* imported, 0)
        assert.isBelow(yield* imported, 1_500)
        yield* Deferred.succeed(release, undefined)
        yield* Fiber.join(lock)
        // A player who was imported, and presses before the next run.
        const [pressed] = yield* sql<{ readonly id: UserId }>`
select user_id as id from score_events where kind = 'imported' order by id limit 1`
        assert.isDefined(pressed)
        const press = { userId: pressed.id, email: undefined, key: undefined, tokenId: undefined }
        yield* (yield* Sql).increment([press])
        const runs = yield* Effect.all(
          [
            run(file, "--verified"),
            run(file, "--verified"),
            Effect.forEach(Array.from({ length: 20 }), () => increment(token), { discard: true }),
          ],
          { concurrency: "unbounded" },
        )
        for (const { code, err } of runs.slice(0, 2).flatMap((one) => (one === undefined ? [] : [one]))) {
          assert.strictEqual(code, 0, err)
        }
        assert.strictEqual(yield* imported, 1_500)
        assert.deepStrictEqual(
          yield* sql`
select user_id from scores s full join (select user_id, sum(coalesce(points, amount)) as total from score_events group by 1) e using (user_id)
where s.score is distinct from e.total`,
          [],
        )
        assert.deepStrictEqual(
          yield* sql`select user_id from scores where user_id like 'player %' and score <> 1 + substr(user_id, 8)::int % 20`,
          [{ user_id: pressed.id }],
        )
      }).pipe(Effect.provide(api())),
  )

  it.effect(
    "stores no address without --verified: its player is unnamed, and plays once an address is verified",
    () =>
      Effect.gen(function* () {
        const { answers, tokens, access } = yield* Provider
        const file = yield* written("players.csv", ["id,email,score", "s1,victim@example.com,3"])
        assert.strictEqual((yield* run(file)).code, 0)
        assert.include((yield* ask("/scores/page")).body, '"email":"…","score":3}')
        const sql = yield* SqlClient.SqlClient
        assert.deepStrictEqual(yield* sql`select email from users`, [{ email: "" }])
        const attributes = (verified: string) =>
          json(200, {
            Username: "s1",
            UserAttributes: [
              { Name: "sub", Value: "s1" },
              { Name: "email", Value: "own@example.com" },
              { Name: "email_verified", Value: verified },
            ],
          })
        answers.GetUser = attributes("false")
        answers.InitiateAuth = json(200, tokens({ email: "own@example.com", email_verified: false }))
        assert.strictEqual((yield* increment(access)).status, 403)
        answers.InitiateAuth = json(200, tokens({ email: "own@example.com", email_verified: true }))
        const body = JSON.stringify({ email: "whoever", password: "x" })
        const headers = { "Content-Type": "application/json" }
        assert.strictEqual((yield* ask("/users/auth/login", { method: "POST", headers, body })).status, 200)
        assert.strictEqual((yield* increment(access)).status, 200)
        assert.deepStrictEqual(yield* board, [{ email: "own@example.com", score: 4 }])
      }).pipe(Effect.provide(apiOnPool())),
  )

  it.effect("says in one line what is wrong with the file, and changes nothing", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      for (const [name, lines, message] of [
        ["players.csv", ["ada,3"], "The first line must be a header"],
      ] as const) {
        const { code, summary, err } = yield* run(yield* written(name, lines))
        assert.strictEqual(code, 1)
        assert.isUndefined(summary)
        assert.match(err, new RegExp(`^[^\n]*${name}: ${message}[^\n]*\n$`))
      }
      const missing = yield* run("/nowhere/players.csv")
      assert.strictEqual(missing.code, 1)
      assert.strictEqual(missing.err, "/nowhere/players.csv: There is no such file\n")
      assert.deepStrictEqual(yield* sql`select * from score_events`, [])
    }).pipe(Effect.provide(api())),
  )
})
