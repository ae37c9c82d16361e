import { readdir, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import { EmbeddedPostgres } from "../../../../src/services/EmbeddedPostgres/EmbeddedPostgres.ts"
import * as Directory from "../../../../src/services/EmbeddedPostgres/EmbeddedPostgresDirectory.ts"
import * as Process from "../../../../src/services/EmbeddedPostgres/EmbeddedPostgresProcess.ts"
import * as Programs from "../../../../src/services/EmbeddedPostgres/EmbeddedPostgresPrograms.ts"
import {
  eventually,
  exists,
  newDataDir,
  otherOwner,
  query,
  statusFile,
} from "../../../support/engines/embeddedPostgres.ts"
import { freePort } from "../../../support/engines/freePort.ts"

// Each has a server of its own, and one of them waits for as long as the others take together.
describe("EmbeddedPostgres.start, signals and crashes", { concurrent: true }, () => {
  it.live("goes on when a terminal's Ctrl-C reaches its process", () =>
    Effect.gen(function* () {
      const owner = yield* otherOwner(yield* newDataDir)
      const url = yield* owner.url
      process.kill(-(owner.child.pid ?? assert.fail("not started")), "SIGINT")
      yield* Effect.sleep("300 millis")
      yield* query(url, "SELECT 1")
    }),
  )

  it.live("ends with a process that is killed, and starts again with what was committed", () =>
    Effect.gen(function* () {
      const dataDir = yield* newDataDir
      const owner = yield* otherOwner(dataDir)
      const url = yield* owner.url
      yield* query(url, "CREATE TABLE kept AS SELECT 7 AS value")
      yield* owner.kill
      yield* eventually(
        "the server has stopped",
        Effect.map(exists(statusFile(dataDir)), (running) => !running),
      )
      const next = yield* EmbeddedPostgres.start({ dataDir })
      assert.deepStrictEqual(yield* query(next.url, "SELECT value FROM kept"), [{ value: 7 }])
    }),
  )

  it.live("takes over at once from a process that is killed", () =>
    Effect.gen(function* () {
      const dataDir = yield* newDataDir
      const owner = yield* otherOwner(dataDir)
      yield* query(yield* owner.url, "CREATE TABLE kept AS SELECT 7 AS value")
      yield* owner.kill
      const next = yield* EmbeddedPostgres.start({ dataDir })
      assert.deepStrictEqual(yield* query(next.url, "SELECT value FROM kept"), [{ value: 7 }])
    }),
  )

  it.live("stops a server that was left running in the directory, then starts its own", () =>
    Effect.gen(function* () {
      const dataDir = yield* newDataDir
      yield* Effect.scoped(EmbeddedPostgres.start({ dataDir }))
      const leftover = yield* Effect.scoped(
        Effect.gen(function* () {
          const directory = yield* Directory.own(dataDir)
          const programs = yield* Programs.find(dataDir)
          const port = yield* freePort
          const args = ["-D", directory.cluster, "-c", `port=${port}`, "-c", "unix_socket_directories="]
          return yield* Process.start(programs.command("postgres", args), "ignore")
        }),
      )
      yield* Effect.addFinalizer(() => Effect.orDie(Process.signal(leftover.pid, "SIGKILL")))
      yield* eventually(
        "the leftover runs",
        Effect.promise(async () =>
          (await readFile(statusFile(dataDir), "utf8").catch(() => "")).includes("ready"),
        ),
      )
      const { url } = yield* EmbeddedPostgres.start({ dataDir })
      assert.strictEqual(leftover.process.exitCode, 0)
      yield* query(url, "SELECT 1")
    }),
  )

  it.live("starts although another program has the process id of a server that crashed", () =>
    Effect.gen(function* () {
      const dataDir = yield* newDataDir
      yield* Effect.scoped(EmbeddedPostgres.start({ dataDir }))
      const other = yield* Effect.acquireRelease(
        Process.start({ program: "sleep", args: ["60"] }, "ignore"),
        ({ pid, ended }) => Effect.orDie(Effect.andThen(Process.signal(pid, "SIGKILL"), ended)),
      )
      yield* Effect.promise(() =>
        writeFile(
          statusFile(dataDir),
          `${other.pid}\n${join(dataDir, "cluster")}\n1\n5432\n\n127.0.0.1\n\nready\n`,
        ),
      )
      const { url } = yield* EmbeddedPostgres.start({ dataDir })
      yield* query(url, "SELECT 1")
      assert.isNull(other.process.signalCode)
    }),
  )

  it.live("starts afresh after its first start was interrupted, and after it was killed", () =>
    Effect.gen(function* () {
      const dataDir = yield* newDataDir
      const unfinished = Effect.promise(() =>
        readdir(dataDir).then(
          (names) => names.some((name) => name.startsWith("cluster.new")),
          () => false,
        ),
      )
      const interrupted = yield* Effect.forkChild(Effect.scoped(EmbeddedPostgres.start({ dataDir })))
      yield* eventually("the first start has begun", unfinished)
      yield* Fiber.interrupt(interrupted)
      assert.isFalse(yield* exists(join(dataDir, "cluster")))
      yield* Effect.promise(() => rm(dataDir, { recursive: true }))

      const killed = yield* otherOwner(dataDir)
      yield* eventually("the second start has begun", unfinished)
      yield* killed.kill
      assert.isFalse(yield* exists(join(dataDir, "cluster")))

      const { url } = yield* EmbeddedPostgres.start({ dataDir })
      yield* query(url, "SELECT 1")
      assert.isFalse(yield* unfinished)
    }),
  )

  it.live("stops by force a server that does not react, and starts again with what was committed", () =>
    Effect.gen(function* () {
      const dataDir = yield* newDataDir
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { url } = yield* EmbeddedPostgres.start({ dataDir })
          yield* query(url, "CREATE TABLE kept AS SELECT 7 AS value")
          const status = yield* Effect.promise(() => readFile(statusFile(dataDir), "utf8"))
          process.kill(Number(status.split("\n")[0]), "SIGSTOP")
        }),
      )
      const { url } = yield* EmbeddedPostgres.start({ dataDir })
      assert.deepStrictEqual(yield* query(url, "SELECT value FROM kept"), [{ value: 7 }])
    }),
  )

  it.live("logs it when the server ends by itself", () => {
    const messages: Array<string> = []
    const collector = Logger.make(({ message }) => messages.push(String(message)))
    return Effect.gen(function* () {
      const dataDir = yield* newDataDir
      yield* EmbeddedPostgres.start({ dataDir })
      const status = yield* Effect.promise(() => readFile(statusFile(dataDir), "utf8"))
      process.kill(Number(status.split("\n")[0]), "SIGQUIT")
      yield* eventually(
        "it is logged",
        Effect.sync(() =>
          messages.some((text) => text.includes(`PostgreSQL in ${dataDir} has ended by itself`)),
        ),
      )
    }).pipe(Effect.provide(Logger.layer([collector])))
  })
})
