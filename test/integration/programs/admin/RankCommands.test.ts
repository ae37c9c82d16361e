import { execFile } from "node:child_process"
import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Postgres from "../../../support/engines/Postgres.ts"

class Engine extends Context.Service<Engine, Postgres.PostgresEngine>()("test/RankCommandsEngine") {
  static readonly layer = Layer.effect(Engine, Postgres.make())
}

interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs `npm run admin -- …` without npm, to its end. */
const admin = (args: ReadonlyArray<string>, url?: Redacted.Redacted) =>
  Effect.callback<Ended>((resume) => {
    const env = {
      PATH: process.env["PATH"],
      ...(url === undefined ? {} : { DATABASE_URL: Redacted.value(url) }),
    }
    const child = execFile(process.execPath, ["src/main-admin.ts", ...args], { env }, (error, out, err) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1
      resume(Effect.succeed({ code, out, err }))
    })
    return Effect.sync(() => void child.kill("SIGKILL"))
  })

layer(Engine.layer, { timeout: "60 seconds", excludeTestServices: true })(
  "Operator's commands for ranks",
  (it) => {
    it.effect("generate, verify and repair, and tell by the exit code whether ranks are right", () =>
      Effect.gen(function* () {
        const { url } = yield* Engine
        assert.strictEqual((yield* admin(["migrate"], url)).code, 0)
        const generated = yield* admin(["generate", "--players", "500"], url)
        assert.deepStrictEqual(generated, { code: 0, out: "500 synthetic players added\n", err: "" })
        const right = yield* admin(["ranks", "verify"], url)
        assert.strictEqual(right.code, 0)
        assert.match(right.out, /^500 visible players with points, highest score \d+, every rank is right\n$/)

        const sql = yield* PgClient.make({ url, maxConnections: 1 })
        yield* sql`update rank_node set c1 = c1 - 10 where level = 0 and block = 0`
        const wrong = yield* admin(["ranks", "verify"], url)
        assert.strictEqual(wrong.code, 1)
        assert.include(
          wrong.out,
          "wrong counts: 1, the lowest:\n  scores 0 to 15: 10 players too many or too few\n",
        )
        assert.strictEqual(wrong.err, "Ranks are wrong: run `ranks repair`\n")
        const repaired = yield* admin(["ranks", "repair"], url)
        assert.strictEqual(repaired.code, 0)
        assert.match(repaired.out, /^counts repaired: 1\n.*every rank is right\n$/)

        const retired = yield* admin(["ranks", "retire"], url)
        assert.deepStrictEqual(retired, { code: 0, out: "nothing to retire\n", err: "" })

        yield* sql`insert into users (id, email) values ('real', 'real@example.com')`
        const refused = yield* admin(["generate", "--players", "500"], url)
        assert.strictEqual(refused.code, 1)
        assert.match(refused.err, /^This database has real players\. Nothing was added; --yes/)
        assert.strictEqual((yield* admin(["generate", "--players", "5", "--yes"], url)).code, 0)
      }).pipe(Effect.provide(Reactivity.layer)),
    )

    it.effect("change no schema but with `migrate`, and say in one line that it is too old", () =>
      Effect.gen(function* () {
        const url = yield* (yield* Engine).freshDatabase
        const sql = yield* PgClient.make({ url, maxConnections: 1 })
        for (const args of [
          ["ranks", "verify"],
          ["hide", "ada", "--reason", "spam"],
        ]) {
          const refused = yield* admin(args, url)
          assert.strictEqual(refused.code, 3)
          assert.match(
            refused.err,
            /^[^\n]* lacks 0001_create_scores, [^\n]*; run `npm run admin -- migrate`\n$/,
          )
        }
        const missing = yield* admin(["migrate", "status"], url)
        assert.strictEqual(missing.code, 1)
        assert.match(missing.out, /^0001_create_scores  missing\n/)
        assert.match(missing.err, /^Migrations missing: \d+\. Apply them with `migrate`\n$/)
        assert.deepStrictEqual(yield* sql`select 1 from pg_tables where schemaname = 'public'`, [])

        const applied = yield* admin(["migrate"], url)
        assert.strictEqual(applied.code, 0)
        assert.match(applied.out, /^applied: 0001_create_scores, .*\n$/)
        assert.deepStrictEqual(yield* admin(["migrate"], url), {
          code: 0,
          out: "nothing to apply\n",
          err: "",
        })
        yield* sql`insert into effect_sql_migrations (migration_id, name) values (9999, 'of_the_future')`
        const complete = yield* admin(["migrate", "status"], url)
        assert.strictEqual(complete.code, 0)
        assert.match(complete.out, /^0001_create_scores  \d{4}-\d\d-\d\dT\S+Z\n/)
        assert.match(complete.out, /\n9999_of_the_future  \S+Z  by a newer release\n$/)
      }).pipe(Effect.provide(Reactivity.layer)),
    )
  },
)
