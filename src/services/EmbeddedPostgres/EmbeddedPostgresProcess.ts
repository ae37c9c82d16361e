import { type ChildProcess, spawn, type StdioOptions } from "node:child_process"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { EmbeddedPostgresFailure } from "./EmbeddedPostgresFailure.ts"

/** A program, its arguments and, when this process is root, the user it runs as. */
export interface Command {
  readonly program: string
  readonly args: ReadonlyArray<string>
  readonly user?: { readonly uid: number; readonly gid: number } | undefined
}

/** A started process. */
export interface Child {
  readonly pid: number
  readonly process: ChildProcess
  /** Succeeds when the process has ended and its output is closed. Safe to run any number of times. */
  readonly ended: Effect.Effect<void>
}

/**
 * The whole environment of what is started here. Nothing is inherited: PGDATA, PGOPTIONS and the like would
 * change what the programs do, and the language decides what they say.
 */
const ENVIRONMENT = { PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", LC_ALL: "C", TZ: "UTC" }

/** At most this much of a program's output is kept, in characters: its last lines say why it failed. */
const OUTPUT_LIMIT = 8_192

/** Starts a program in its own process group, where a terminal's Ctrl-C does not reach it. */
export const start = (command: Command, stdio: StdioOptions): Effect.Effect<Child, EmbeddedPostgresFailure> =>
  Effect.callback((resume) => {
    const child = spawn(command.program, command.args, {
      ...command.user,
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

/** Whether an error of Node's carries this code, such as ENOENT. */
export const hasCode = (cause: unknown, code: string) =>
  cause instanceof Error && "code" in cause && cause.code === code

/** Sends a signal; a process, or process group (negative), that is no more is no error. */
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

/** Runs a program to its end and gives what it wrote to stdout; an interruption kills it and all it started. */
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
      // A program that ends without reading its input: its exit code says what there is to say.
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

/** The line of a program's messages that says why it failed: the last error, else the last line, if any. */
export const reasonIn = (messages: string): string | undefined => {
  const lines = messages
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
  return lines.findLast((line) => /\b(error|FATAL|PANIC):/i.test(line)) ?? lines.at(-1)
}

/** How PostgreSQL is asked to stop, and how long each way gets: fast (SIGINT), immediate (SIGQUIT), by force. */
const STOP_STEPS = [
  ["SIGINT", "5 seconds"],
  ["SIGQUIT", "2 seconds"],
  ["SIGKILL", "2 seconds"],
] as const

/** Stops a PostgreSQL server and waits for its end, at most 9 seconds: harder with every step. */
export const stopServer = (pid: number, ended: Effect.Effect<void>) =>
  Effect.firstSuccessOf(
    STOP_STEPS.map(([name, patience]) =>
      signal(pid, name).pipe(
        Effect.andThen(ended),
        Effect.timeoutOrElse({
          duration: patience,
          orElse: () =>
            Effect.fail(new EmbeddedPostgresFailure({ message: `PostgreSQL (process ${pid}) does not end` })),
        }),
      ),
    ),
  )
