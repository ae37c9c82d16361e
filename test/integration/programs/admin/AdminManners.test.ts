import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import { mkdir, symlink, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { SqlModeration } from "../../../../src/services/Sql/SqlModeration.ts"
import * as SqlModerationPostgres from "../../../../src/services/Sql/SqlModerationPostgres.ts"
import { productVersion } from "../../../../src/services/ProductVersion.ts"
import * as Postgres from "../../../support/engines/Postgres.ts"
import { temporaryFolder } from "../../../support/fixtures.ts"
import { runAdmin, runAsUnknown, UNKNOWN_UID } from "./adminFixtures.ts"

class Engine extends Context.Service<Engine, Postgres.PostgresEngine>()("test/AdminMannersEngine") {
  static readonly layer = Layer.effect(Engine, Postgres.make())
}

/** A migrated database with one player, Ada, and what finds players in it. */
const withAda = Effect.gen(function* () {
  const url = yield* (yield* Engine).freshDatabase
  const services = yield* Layer.build(SqlModerationPostgres.layerFrom(url))
  const sql = yield* PgClient.make({ url, maxConnections: 1 })
  yield* sql`insert into users (id, email) values ('ada', 'ada@example.com')`
  return { url, sql, moderation: Context.get(services, SqlModeration) }
})

layer(Engine.layer, { timeout: "60 seconds", excludeTestServices: true })("An admin command", (it) => {
  it.effect("tells a mistake in the command line in one line on standard error, and ends with 2", () =>
    Effect.gen(function* () {
      for (const [args, problem] of [
        [[], /^admin: name one of its commands: hide, [^\n]*\. See admin --help\n$/],
        [["hide"], /^admin hide: Missing required argument: user\. See admin hide --help\n$/],
        [
          ["rank"],
          /^admin: Unknown subcommand "rank" for "admin"\. Did you mean ranks\? See admin --help\n$/,
        ],
        [
          ["import", "players.csv", "--dryrun"],
          /^admin import: Unrecognized flag: --dryrun in command admin import\. Did you mean --dry-run\? See [^\n]*\n$/,
        ],
        [
          ["correct", "ada", "--amount", "0", "--reason", "x"],
          /^admin correct: Invalid value for flag --amount: "0"\. Expected not 0\. See admin correct --help\n$/,
        ],
        [
          ["correct", "ada", "--amount", "1", "--reason", "x", "--key", "ticket 17"],
          /^admin correct: [^\n]*"ticket 17"\. Expected 1 to 255 printable ASCII characters without a space\. See [^\n]*\n$/,
        ],
        [
          ["undo", "ada", "--event", "first", "--reason", "x"],
          /^admin undo: [^\n]*"first"\. Expected the number of an event, of at most 18 digits\. See [^\n]*\n$/,
        ],
        [
          ["hide", "ada", "--reason", ""],
          /^admin hide: Missing value for flag --reason\. Expected a value with a length of at least 1\. See [^\n]*\n$/,
        ],
      ] as const) {
        const { code, err, out } = yield* runAdmin(args)
        assert.strictEqual(code, 2, args.join(" "))
        assert.strictEqual(out, "")
        assert.match(err, problem)
      }
    }),
  )

  it.effect("gives help and the version of the package on standard output, without a database", () =>
    Effect.gen(function* () {
      const asked = yield* runAdmin(["--version"])
      assert.deepStrictEqual(asked, { code: 0, out: `scoreboard ${productVersion().version}\n`, err: "" })
      const help = yield* runAdmin(["dead-letters", "redrive", "--help"])
      assert.deepStrictEqual([help.code, help.err], [0, ""])
      assert.include(help.out, "npm run admin -- dead-letters redrive --limit 1000")
    }),
  )

  it.effect("that cannot look ends with 3 and says in one line why", () =>
    Effect.gen(function* () {
      const cwd = yield* temporaryFolder
      const cluster = join(cwd, ".data/postgres/cluster")
      // What a killed `npm start` leaves. Linux gives no process an id beyond 2^22.
      yield* Effect.promise(() => mkdir(cluster, { recursive: true }))
      yield* Effect.promise(() => writeFile(join(cwd, ".data/postgres/password"), "secret"))
      yield* Effect.promise(() =>
        writeFile(join(cluster, "postmaster.pid"), `${2 ** 22 + 1}\n/data\n0\n5432\n`),
      )
      assert.deepStrictEqual(yield* runAdmin(["ranks", "verify"], { cwd }), {
        code: 3,
        out: "",
        err: "Configuration: neither DATABASE_URL nor DATABASE_HOST is set, and no `npm start` runs in this folder (.data/postgres). With the settings of a file: node --env-file=.env src/main-admin.ts …\n",
      })
    }),
  )

  it.effect(
    "uses the database of the `npm start` in its folder if the environment names none, and says so",
    () =>
      Effect.gen(function* () {
        const { url } = yield* Engine
        const sql = yield* PgClient.make({ url, maxConnections: 1 })
        const [row] = yield* sql<{
          readonly folder: string
        }>`select current_setting('data_directory') as folder`
        const cwd = yield* temporaryFolder
        yield* Effect.promise(() => mkdir(join(cwd, ".data")))
        yield* Effect.promise(() => symlink(dirname(row?.folder ?? ""), join(cwd, ".data/postgres")))

        const found = yield* runAdmin(["migrate"], { cwd })
        assert.strictEqual(found.code, 0, found.err)
        assert.match(
          found.err,
          /^Database: that of `npm start` in \/[^\n]*\.data\/postgres, 127\.0\.0\.1:\d+, because the environment names none\n$/,
        )
        assert.deepStrictEqual(yield* sql`select * from scores`, [])

        const named = yield* runAdmin(["migrate"], {
          cwd,
          env: { DATABASE_URL: "postgres://a:b@127.0.0.1:1/c" },
        })
        assert.strictEqual(named.code, 3)
        assert.match(named.err, /^PostgreSQL \(DATABASE_URL\) cannot be used: [^\n]*ECONNREFUSED[^\n]*\n$/)
      }).pipe(Effect.provide(Reactivity.layer)),
  )

  it.effect("runs under an id without a passwd entry, and the history records the id", () =>
    Effect.gen(function* () {
      const { sql, url } = yield* withAda
      const hidden = yield* runAsUnknown(["hide", "ada", "--reason", "spam"], { url })
      assert.strictEqual(hidden.code, 0, hidden.err)
      yield* runAsUnknown(["restore", "ada", "--reason", "a mistake", "--by", "grace"], { url })
      const events = yield* sql`select kind, actor from score_events order by id`
      assert.deepStrictEqual(events, [
        { kind: "hidden", actor: `uid ${UNKNOWN_UID}` },
        { kind: "restored", actor: "grace" },
      ])
    }).pipe(Effect.provide(Reactivity.layer)),
  )

  it.effect(
    "finds a player by an e-mail in any case, the exact one first, and says what it took for it",
    () =>
      Effect.gen(function* () {
        const { moderation, sql, url } = yield* withAda
        yield* sql`insert into users (id, email) values
        ('grace', 'Grace@Example.com'), ('twin-1', 'Twin@example.com'), ('twin-2', 'twin@example.com'),
        ('trio-1', 'TRIO@example.com'), ('trio-2', 'Trio@example.com'), ('unnamed', '')`
        for (const [query, ids] of [
          ["ADA@example.com", ["ada"]],
          ["grace@example.com", ["grace"]],
          ["Twin@example.com", ["twin-1"]],
          ["twin@example.com", ["twin-2"]],
          ["trio@example.com", ["trio-1", "trio-2"]],
          ["grace", ["grace"]],
          ["GRACE", []],
          ["nobody@example.com", []],
          ["", []],
        ] as const) {
          const found = yield* moderation.findPlayers(query)
          assert.deepStrictEqual(
            found.map(({ id }) => String(id)),
            [...ids],
            query,
          )
        }
        const { code, err, out } = yield* runAdmin(["hide", "grace@example.com", "--reason", "spam"], { url })
        assert.strictEqual(code, 0, err)
        assert.include(out, '"userId":"grace"')
        assert.strictEqual(
          err,
          'Nobody is stored as "grace@example.com", but one player in other letters: grace\n',
        )
      }).pipe(Effect.provide(Reactivity.layer)),
  )
})
