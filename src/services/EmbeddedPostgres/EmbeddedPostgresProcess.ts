import { type ChildProcess, spawn, type StdioOptions } from "node:child_process"
import type { FileHandle } from "node:fs/promises"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { EmbeddedPostgresFailure } from "./EmbeddedPostgresFailure.ts"

/** A program, its arguments and, when this process is root, the user it runs as. */
export interface Command {
  readonly program: string
  readonly args: ReadonlyArray<string>
  readonly user?: { readonly uid: number; readonly gid: number } | undefined
  /** The folder it runs in; that of this process when left out. */
  readonly cwd?: string
}

/** A running process. */
export interface Child {
  readonly pid: number
  readonly process: ChildProcess
  /** Succeeds when the process has ended and its output is closed. May run any number of times. */
  readonly ended: Effect.Effect<void>
}

/**
 * The whole environment of the programs. They inherit nothing: PGDATA, PGOPTIONS and others would change what they do,
 * and the locale would change their messages.
 */
const ENVIRONMENT = { PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", LC_ALL: "C", TZ: "UTC" }

/** How many characters of a program's output are stored: its last lines say why it failed. */
const OUTPUT_LIMIT = 8_192

/** Starts a program in a process group of its own, so that Ctrl-C in a terminal does not reach it. */
export const start = (command: Command, stdio: StdioOptions): Effect.Effect<Child, EmbeddedPostgresFailure> =>
  Effect.callback((resume) => {
    const child = spawn(command.program, command.args, {
      ...command.user,
      cwd: command.cwd,
      env: ENVIRONMENT,
      stdio,
      detached: true,
    })
    const closed = new Promise<void>((resolve) => child.once("close", () => resolve()))
    child.on("error", (cause) =>
      resume(
        Effect.fail(
          new EmbeddedPostgresFailure({
            message: `${command.program} does not start: ${cause.message}`,
            cause,
          }),
        ),
      ),
    )
    child.once("spawn", () => {
      const { pid } = child
      resume(
        pid === undefined
          ? Effect.die(new Error(`${command.program} runs without a process id`))
          : Effect.succeed({ pid, process: child, ended: Effect.promise(() => closed) }),
      )
    })
  })

/** Whether an error of Node has this code, such as ENOENT. */
export const hasCode = (cause: unknown, code: string) =>
  cause instanceof Error && "code" in cause && cause.code === code

/** Sends a signal to a process, or to a process group (negative). One that has ended already is not an error. */
export const signal = (pid: number, name: NodeJS.Signals): Effect.Effect<void, EmbeddedPostgresFailure> =>
  Effect.try({
    try: () => {
      process.kill(pid, name)
    },
    catch: (cause) =>
      new EmbeddedPostgresFailure({ message: `Process ${pid} cannot be stopped: ${String(cause)}`, cause }),
  }).pipe(
    Effect.catchIf(
      ({ cause }) => hasCode(cause, "ESRCH"),
      () => Effect.void,
    ),
  )

/** Runs a program to its end and gives its standard output. An interruption kills it and every process it started. */
export const run = (command: Command, timeLimit: Duration.Input, input = "") =>
  Effect.scoped(
    Effect.gen(function* () {
      const child = yield* Effect.acquireRelease(start(command, "pipe"), ({ pid, process, ended }) =>
        process.exitCode === null && process.signalCode === null
          ? signal(-pid, "SIGKILL").pipe(Effect.andThen(ended), Effect.orDie)
          : Effect.void,
      )
      let output = ""
      let errors = ""
      child.process.stdout?.on("data", (chunk) => (output = `${output}${chunk}`.slice(-OUTPUT_LIMIT)))
      child.process.stderr?.on("data", (chunk) => (errors = `${errors}${chunk}`.slice(-OUTPUT_LIMIT)))
      // A program may end without reading its input. Its exit code tells whether that is a failure.
      child.process.stdin?.on("error", () => {})
      child.process.stdin?.end(input)
      yield* child.ended
      if (child.process.exitCode === 0) return output
      const reason = reasonIn(errors) ?? `it ended with ${child.process.exitCode ?? child.process.signalCode}`
      return yield* new EmbeddedPostgresFailure({ message: `${command.program} failed: ${reason}` })
    }),
  ).pipe(
    Effect.timeoutOrElse({
      duration: timeLimit,
      orElse: () =>
        Effect.fail(
          new EmbeddedPostgresFailure({
            message: `${command.program} took longer than ${Duration.format(Duration.fromInputUnsafe(timeLimit))}`,
          }),
        ),
    }),
  )

/** The line of a program's messages that says why it failed: the last error, or else the last line, if any. */
export const reasonIn = (messages: string): string | undefined => {
  const lines = messages
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
  return lines.findLast((line) => /\b(error|FATAL|PANIC):/i.test(line)) ?? lines.at(-1)
}

/** The signals that stop PostgreSQL, and how long each of them gets: fast (SIGINT), immediate (SIGQUIT), by force. */
const STOP_STEPS = [
  ["SIGINT", "5 seconds"],
  ["SIGQUIT", "2 seconds"],
  ["SIGKILL", "2 seconds"],
] as const

/** Stops a server and waits until it has ended, at most 9 seconds. Each step is harder than the one before. */
export const stopServer = (pid: number, ended: Effect.Effect<void>, name: string) =>
  Effect.firstSuccessOf(
    STOP_STEPS.map(([step, patience]) =>
      signal(pid, step).pipe(
        Effect.andThen(ended),
        Effect.timeoutOrElse({
          duration: patience,
          orElse: () =>
            Effect.fail(new EmbeddedPostgresFailure({ message: `${name} (process ${pid}) does not end` })),
        }),
      ),
    ),
  )

/**
 * Starts a shell that waits until its input ends, which happens when this process ends for any reason, and then tells the
 * server to stop. Without it a killed process would leave its server running.
 */
const guard = (server: Child) =>
  start({ program: "/bin/sh", args: ["-c", 'read -r _; kill -INT "$0"', String(server.pid)] }, [
    "pipe",
    "ignore",
    "ignore",
  ])

/** Starts a server that writes to `output`. It is stopped with the scope, and when this process is killed. */
export const startServer = (
  name: string,
  command: Command,
  output: Effect.Effect<FileHandle, EmbeddedPostgresFailure>,
): Effect.Effect<Child, EmbeddedPostgresFailure, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const log = yield* output
      const server = yield* start(command, ["ignore", log.fd, log.fd]).pipe(
        Effect.ensuring(Effect.promise(() => log.close())),
      )
      const watcher = yield* guard(server).pipe(
        Effect.tapError(() => stopServer(server.pid, server.ended, name)),
      )
      return { server, watcher }
    }),
    ({ server, watcher }) =>
      stopServer(server.pid, server.ended, name).pipe(
        Effect.ensuring(signal(watcher.pid, "SIGKILL").pipe(Effect.andThen(watcher.ended), Effect.orDie)),
        Effect.catch((failure) => Effect.logError(failure.message)),
      ),
  ).pipe(Effect.map(({ server }) => server))
