import { execFile } from "node:child_process"
import { open, readFile, rm } from "node:fs/promises"
import { createServer } from "node:net"
import { platform } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { reasonIn, startServer, stopServer } from "./EmbeddedPostgresProcess.ts"
import { EmbeddedPostgresFailure } from "./EmbeddedPostgresFailure.ts"
import { type DataDirectory, onFiles } from "./EmbeddedPostgresDirectory.ts"
import type { PostgresPrograms } from "./EmbeddedPostgresPrograms.ts"

/** As messages call the server. */
const NAME = "PostgreSQL"

/** From the start of the process to the first connection. After a crash PostgreSQL replays its log first. */
const START_TIME_LIMIT = "60 seconds"

/** How often the status file is read while the server starts or stops. */
const POLL_INTERVAL = "20 millis"

/**
 * Enough for a board on one machine, with little memory. Failed statements are not logged: their text contains e-mail
 * addresses, and the client that sent them gets the error.
 */
const DEFAULT_SETTINGS = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: "100",
  shared_buffers: "32MB",
  max_wal_size: "256MB",
  io_method: "sync",
  jit: "off",
  log_min_messages: "log",
  log_checkpoints: "off",
}

/** Reads the postmaster.pid of a running server: the process id is in line 1, the status in line 8. */
const readStatus = (directory: DataDirectory) =>
  Effect.promise(() => readFile(join(directory.cluster, "postmaster.pid"), "utf8").catch(() => "")).pipe(
    Effect.map((text) => {
      const lines = text.split("\n")
      return { pid: Number(lines[0]), ready: lines[7]?.trim() === "ready" }
    }),
  )

/** The command line of a process; empty when there is no such process, or when it is a zombie. */
const commandLine = (pid: number) =>
  Effect.promise(() =>
    platform() === "linux"
      ? readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")
      : promisify(execFile)("ps", ["-o", "command=", "-p", String(pid)]).then(
          ({ stdout }) => stdout,
          () => "",
        ),
  )

/**
 * Stops the server that a killed process left running in a directory that is now ours. Removes a status file whose
 * process id now belongs to another program: PostgreSQL would mistake that program for itself.
 */
export const stopLeftover = Effect.fnUntraced(function* (directory: DataDirectory) {
  const { pid } = yield* readStatus(directory)
  if (!(pid > 0)) return
  const runs = Effect.map(commandLine(pid), (line) => line.includes(directory.cluster))
  if (yield* runs) {
    yield* Effect.logWarning(`Stopping the PostgreSQL that an earlier start left behind in ${directory.path}`)
    const ended = Effect.repeat(runs, { while: (still) => still, schedule: Schedule.spaced(POLL_INTERVAL) })
    yield* stopServer(pid, Effect.asVoid(ended), NAME)
  } else if ((yield* commandLine(pid)) !== "") {
    yield* onFiles(directory.path, () => rm(join(directory.cluster, "postmaster.pid"), { force: true }))
  }
})

/** A port of the loopback address that is free at the moment. */
const freePort = Effect.callback<number, EmbeddedPostgresFailure>((resume) => {
  const server = createServer()
  server.once("error", (cause) =>
    resume(Effect.fail(new EmbeddedPostgresFailure({ message: "No free port for PostgreSQL", cause }))),
  )
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** Fails with the directory and the reason from the server's log. */
const fail = (directory: DataDirectory, what: string) =>
  Effect.promise(() => readFile(directory.log, "utf8").catch(() => "")).pipe(
    Effect.map((log) => log.replaceAll(/^.* UTC \[\d+\] /gm, "").replaceAll(/^LOG:.*$/gm, "")),
    Effect.flatMap((messages) =>
      Effect.fail(
        new EmbeddedPostgresFailure({
          message: `PostgreSQL in ${directory.path} ${what}: ${reasonIn(messages) ?? `see ${directory.log}`}`,
        }),
      ),
    ),
  )

/** The port and the settings of the server. */
interface ServerOptions {
  /** Undefined = a free port. */
  readonly port: number | undefined
  /** PostgreSQL settings by name. They override the default ones. */
  readonly settings: Readonly<Record<string, string>>
}

const startOnce = Effect.fnUntraced(function* (
  directory: DataDirectory,
  programs: PostgresPrograms,
  options: ServerOptions,
) {
  const port = options.port ?? (yield* freePort)
  const settings = { ...DEFAULT_SETTINGS, ...options.settings, port: String(port) }
  const args = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])
  const server = yield* startServer(
    NAME,
    programs.command("postgres", ["-D", directory.cluster, ...args]),
    onFiles(directory.path, () => open(directory.log, "w", 0o600)),
  )
  yield* readStatus(directory).pipe(
    Effect.repeat({
      until: ({ pid, ready }) => ready && pid === server.pid,
      schedule: Schedule.spaced(POLL_INTERVAL),
    }),
    Effect.raceFirst(Effect.andThen(server.ended, fail(directory, `does not start on port ${port}`))),
  )
  return { port, server }
})

/**
 * Starts the server on a loopback port, waits until it accepts connections, and gives the port and what waits for its end. Closing the scope stops
 * the server and waits until it has ended. A failed start is repeated twice: another program may have taken the port, or
 * the memory of a server that was just killed may not be free yet. A server that ends by itself is logged but not
 * restarted: its clients see their connections fail.
 */
export const startIn = Effect.fnUntraced(function* (
  directory: DataDirectory,
  programs: PostgresPrograms,
  options: ServerOptions,
) {
  const scope = yield* Effect.scope
  const attempt = Effect.gen(function* () {
    const own = yield* Scope.fork(scope)
    return yield* startOnce(directory, programs, options).pipe(
      Scope.provide(own),
      Effect.onError(() => Scope.close(own, Exit.void)),
    )
  })
  const { port, server } = yield* attempt.pipe(
    Effect.retry({ times: 2, schedule: Schedule.spaced("300 millis") }),
    Effect.timeoutOrElse({
      duration: START_TIME_LIMIT,
      orElse: () => fail(directory, "is not ready in time"),
    }),
  )
  yield* server.ended.pipe(
    Effect.andThen(
      Effect.logError(`PostgreSQL in ${directory.path} has ended by itself: see ${directory.log}`),
    ),
    Effect.forkScoped,
  )
  return { port, ended: server.ended }
})
