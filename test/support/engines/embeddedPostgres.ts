import { spawn } from "node:child_process"
import { once } from "node:events"
import { access } from "node:fs/promises"
import { join, resolve } from "node:path"
import { createInterface } from "node:readline"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Reactivity from "effect/reactivity/Reactivity"
import { engineFolder } from "./runFolder.ts"

/** The checkout. */
export const ROOT = resolve(import.meta.dirname, "../../..")
const OWNER = "test/support/engines/postgres-owner.ts"

/** Polls a condition every 20 ms, for at most 30 s. */
export const eventually = <E>(what: string, condition: Effect.Effect<boolean, E>) =>
  condition.pipe(
    Effect.repeat({ until: (holds) => holds, schedule: Schedule.spaced("20 millis") }),
    Effect.timeoutOrElse({ duration: "30 seconds", orElse: () => Effect.die(new Error(`Never: ${what}`)) }),
  )

/** Whether there is a file or folder at this path. */
export const exists = (path: string) =>
  Effect.promise(() =>
    access(path).then(
      () => true,
      () => false,
    ),
  )

/** The server's status file: there while it runs. */
export const statusFile = (dataDir: string) => join(dataDir, "cluster", "postmaster.pid")

/** A folder that goes away with the test, its own user's only (mode 0700). */
export const privateFolder = engineFolder("scoreboard-embedded-")

/** A data directory inside a private folder. It does not exist yet. */
export const newDataDir = Effect.map(privateFolder, (folder) => join(folder, "state", "postgres"))

/** Runs one statement on a connection of its own. */
export const query = <Row extends object>(url: Redacted.Redacted, statement: string) =>
  Effect.gen(function* () {
    const sql = yield* PgClient.make({ url, maxConnections: 1, connectTimeout: "10 seconds" })
    return yield* sql.unsafe<Row>(statement)
  }).pipe(Effect.scoped, Effect.provide(Reactivity.layer))

/** Another process that owns an embedded server. It is gone, by force if need be, when the test is over. */
export const otherOwner = (dataDir: string, folder = ROOT, flags: ReadonlyArray<string> = []) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(process.execPath, [...flags, join(folder, OWNER), dataDir], {
        stdio: ["ignore", "pipe", "inherit"],
        detached: true,
      })
      const lines: Array<string> = []
      createInterface(child.stdout).on("line", (line) => lines.push(line))
      const urlLine = () => lines.find((line) => line.startsWith("url="))
      const url = eventually(
        "the other process serves",
        Effect.sync(() => urlLine() !== undefined),
      ).pipe(Effect.map(() => Redacted.make(urlLine()?.slice("url=".length) ?? "")))
      const kill = Effect.promise(async () => {
        if (child.exitCode !== null || child.signalCode !== null) return
        const exit = once(child, "exit")
        child.kill("SIGKILL")
        await exit
      })
      return { child, url, kill }
    }),
    ({ kill }) => kill,
  )
