import { chmod, mkdir, readFile, symlink, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { EmbeddedPostgres } from "../../../../src/services/EmbeddedPostgres/EmbeddedPostgres.ts"
import {
  eventually,
  exists,
  newDataDir,
  otherOwner,
  privateFolder,
  query,
  ROOT,
  statusFile,
} from "../../../support/engines/embeddedPostgres.ts"

describe("EmbeddedPostgres.start", () => {
  it.live("makes a UTF-8 database in C order that waits for the disk, on the loopback address only", () =>
    Effect.gen(function* () {
      const { url } = yield* EmbeddedPostgres.start({ dataDir: yield* newDataDir })
      const rows = yield* query(
        url,
        `SELECT current_database() AS name, pg_encoding_to_char(encoding) AS encoding, datcollate AS collation,
           current_setting('fsync') AS fsync, current_setting('listen_addresses') AS addresses,
           current_setting('unix_socket_directories') AS sockets
         FROM pg_database WHERE datname = current_database()`,
      )
      assert.deepStrictEqual(rows, [
        {
          name: "scoreboard",
          encoding: "UTF8",
          collation: "C",
          fsync: "on",
          addresses: "127.0.0.1",
          sockets: "",
        },
      ])
    }),
  )

  it.live("refuses a wrong password", () =>
    Effect.gen(function* () {
      const { url } = yield* EmbeddedPostgres.start({ dataDir: yield* newDataDir })
      const guess = new URL(Redacted.value(url))
      guess.password = "guess"
      const error = yield* Effect.flip(query(Redacted.make(guess.href), "SELECT 1"))
      assert.strictEqual(error.reason._tag, "AuthenticationError")
    }),
  )

  it.live("says where it is in parts, with the file of its password", () =>
    Effect.gen(function* () {
      const { url, place } = yield* EmbeddedPostgres.start({ dataDir: yield* newDataDir })
      const { username, password, hostname, port, pathname } = new URL(Redacted.value(url))
      assert.deepStrictEqual(
        { user: username, host: hostname, port: Number(port), database: pathname.slice(1) },
        { user: place.user, host: place.host, port: place.port, database: place.database },
      )
      assert.strictEqual(yield* Effect.promise(() => readFile(place.passwordFile, "utf8")), password)
    }),
  )

  it.live("keeps the data over a stop and a start, and has stopped when the scope has closed", () =>
    Effect.gen(function* () {
      const dataDir = yield* newDataDir
      const first = yield* EmbeddedPostgres.start({ dataDir }).pipe(
        Effect.tap(({ url }) => query(url, "CREATE TABLE kept AS SELECT 7 AS value")),
        Effect.scoped,
      )
      assert.isFalse(yield* exists(statusFile(dataDir)))
      const error = yield* Effect.flip(query(first.url, "SELECT 1"))
      assert.strictEqual(error.reason._tag, "ConnectionError")
      const second = yield* EmbeddedPostgres.start({ dataDir })
      assert.deepStrictEqual(yield* query(second.url, "SELECT value FROM kept"), [{ value: 7 }])
    }),
  )

  it.live("stops although a client has an open transaction", () =>
    Effect.gen(function* () {
      const dataDir = yield* newDataDir
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { url } = yield* EmbeddedPostgres.start({ dataDir })
          // Longer than the test may take.
          yield* Effect.forkScoped(Effect.exit(query(url, "SELECT pg_sleep(600)")))
          const sleeping = query(url, "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
          yield* eventually(
            "the statement runs",
            Effect.map(sleeping, (rows) => rows.length === 1),
          )
        }),
      )
      assert.isFalse(yield* exists(statusFile(dataDir)))
    }),
  )

  it.live("refuses a directory that is in use, in this process or another, and leaves its server alone", () =>
    Effect.gen(function* () {
      const dataDir = yield* newDataDir
      const here = yield* EmbeddedPostgres.start({ dataDir })
      const inUseHere = yield* Effect.flip(EmbeddedPostgres.start({ dataDir }))
      assert.strictEqual(
        inUseHere.message,
        `The database directory ${dataDir} is in use by another \`npm start\` or \`npm run dev:services\`: stop that one first`,
      )
      yield* query(here.url, "SELECT 1")

      const elsewhere = yield* newDataDir
      const there = yield* (yield* otherOwner(elsewhere)).url
      const inUseThere = yield* Effect.flip(EmbeddedPostgres.start({ dataDir: elsewhere }))
      assert.include(inUseThere.message, `${elsewhere} is in use`)
      yield* query(there, "SELECT 1")
    }),
  )

  it.live("names a directory that another major version made, and what to do", () =>
    Effect.gen(function* () {
      const dataDir = yield* newDataDir
      yield* Effect.promise(async () => {
        await mkdir(join(dataDir, "cluster"), { recursive: true })
        await writeFile(join(dataDir, "cluster", "PG_VERSION"), "9\n")
      })
      const error = yield* Effect.flip(EmbeddedPostgres.start({ dataDir }))
      assert.match(
        error.message,
        /^The database directory .+ was made by PostgreSQL 9, this is 18: move it away/,
      )
      assert.include(error.message, dataDir)
    }),
  )

  it.live("says why the server does not start", () =>
    Effect.gen(function* () {
      const dataDir = yield* newDataDir
      const error = yield* Effect.flip(
        EmbeddedPostgres.start({ dataDir, settings: { shared_buffers: "nonsense" } }),
      )
      assert.include(error.message, dataDir)
      assert.include(error.message, 'invalid value for parameter "shared_buffers": "nonsense"')
    }),
  )

  it.live("runs from a checkout that only its owner may enter, such as root's home", () =>
    Effect.gen(function* () {
      const folder = yield* privateFolder
      const names = ["src", "test", "node_modules", "package.json"]
      yield* Effect.promise(() =>
        Promise.all(names.map((name) => symlink(join(ROOT, name), join(folder, name)))),
      )
      // With these flags Node keeps to the path through the links, and so do the paths of the programs.
      const flags = ["--preserve-symlinks", "--preserve-symlinks-main"]
      const owner = yield* otherOwner(join(folder, ".data", "postgres"), folder, flags)
      yield* query(yield* owner.url, "SELECT 1")
    }),
  )

  it.live("keeps the data when the folder above becomes private, and open again", () =>
    Effect.gen(function* () {
      const folder = yield* privateFolder
      const dataDir = join(folder, "postgres")
      for (const [round, mode] of [0o755, 0o700, 0o755].entries()) {
        yield* Effect.promise(() => chmod(folder, mode))
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { url } = yield* EmbeddedPostgres.start({ dataDir })
            if (round === 0) yield* query(url, "CREATE TABLE kept (value int)")
            yield* query(url, `INSERT INTO kept VALUES (${round})`)
            const rows = yield* query(url, "SELECT value FROM kept ORDER BY value")
            assert.strictEqual(rows.length, round + 1)
          }),
        )
      }
    }),
  )
})
