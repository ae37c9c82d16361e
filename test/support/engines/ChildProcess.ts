import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { spawn as nodeSpawn } from "node:child_process"
import { createInterface } from "node:readline"

/** How many of a process's last output lines are kept. */
const KEPT_LINES = 200

/** An engine could not be started. `message` says what to do, or shows the last output lines. */
export class EngineFailure extends Data.TaggedError("EngineFailure")<{ readonly message: string }> {}

export interface SpawnOptions {
  readonly command: string
  readonly args: ReadonlyArray<string>
  /** The whole environment of the process; that of the tests when left out. */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  /** The process is ready when a line of its output (stdout or stderr) matches. */
  readonly readyWhen: RegExp
  /** Gets every line of output as it comes; `lines` keeps only the last ones. */
  readonly onLine?: (line: string) => void
  /** How long it may take to be ready, in milliseconds: 15 s when left out, ample on a loaded machine. */
  readonly readyWithinMillis?: number
  /** How long it may take to end after SIGTERM before SIGKILL, in milliseconds: 5 s when left out. */
  readonly stopWithinMillis?: number
  /** What to do when the command does not exist, such as "apt-get install redis-server". */
  readonly install?: string
}

export interface ChildProcess {
  readonly pid: number
  /** The match of `readyWhen`: its groups can carry a port that the process picked itself. */
  readonly ready: RegExpExecArray
  /** The last output lines, oldest first. */
  readonly lines: () => ReadonlyArray<string>
  /** Sends a signal; does nothing after the end. */
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** Waits for the end: the exit code, or the signal that ended it. */
  readonly exit: Effect.Effect<number | NodeJS.Signals>
  /** SIGTERM, SIGKILL when that does not help in time; returns after the end. Idempotent. */
  readonly stop: Effect.Effect<void>
}

const launch = (options: SpawnOptions) => {
  const child = nodeSpawn(options.command, options.args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: { ...options.env } }),
    stdio: ["ignore", "pipe", "pipe"],
  })
  const lines: Array<string> = []
  const exited = Promise.withResolvers<number | NodeJS.Signals>()
  const ready = Promise.withResolvers<RegExpExecArray>()
  const described = (problem: string) =>
    new EngineFailure({ message: [`${options.command} ${problem}`, ...lines.slice(-20)].join("\n  ") })

  for (const output of [child.stdout, child.stderr]) {
    createInterface({ input: output }).on("line", (line) => {
      lines.push(line)
      options.onLine?.(line)
      if (lines.length > KEPT_LINES) lines.shift()
      const match = options.readyWhen.exec(line)
      if (match !== null) ready.resolve(match)
    })
  }

  // A run that is cut short does not close scopes; its engines still have to go.
  const killAtExit = () => void child.kill("SIGKILL")
  process.once("exit", killAtExit)
  const ended = (result: number | NodeJS.Signals, failure: EngineFailure) => {
    process.removeListener("exit", killAtExit)
    exited.resolve(result)
    ready.reject(failure)
  }
  child.once("error", (error: NodeJS.ErrnoException) => {
    // Also emitted when a signal cannot be sent: only a process that never began ends here.
    if (child.pid !== undefined) return
    const hint = options.install === undefined ? "" : `; install it: ${options.install}`
    ended(1, new EngineFailure({ message: `${options.command} cannot be started (${error.code})${hint}` }))
  })
  child.once("exit", (code, signal) => {
    const result = signal ?? code ?? 1
    ended(result, described(`ended (${result}) before it was ready`))
  })

  // Real timers, not Effect's clock: an engine starts and ends in real time, also under a TestClock.
  const awaitReady = async () => {
    const limit = options.readyWithinMillis ?? 15_000
    const timer = setTimeout(() => ready.reject(described(`was not ready within ${limit} ms`)), limit)
    try {
      return await ready.promise
    } finally {
      clearTimeout(timer)
    }
  }
  const stop = async () => {
    child.kill("SIGTERM")
    // A stopped process does not see SIGTERM before it goes on.
    child.kill("SIGCONT")
    const timer = setTimeout(() => child.kill("SIGKILL"), options.stopWithinMillis ?? 5_000)
    await exited.promise
    clearTimeout(timer)
  }
  return { child, lines, exited: exited.promise, awaitReady, stop }
}

/** Starts a process, waits until it is ready, and ends it with the scope. */
export const spawn = Effect.fnUntraced(function* (
  options: SpawnOptions,
): Effect.fn.Return<ChildProcess, EngineFailure, Scope.Scope> {
  const launched = yield* Effect.acquireRelease(
    Effect.sync(() => launch(options)),
    (process) => Effect.promise(process.stop),
  )
  const ready = yield* Effect.tryPromise({
    try: launched.awaitReady,
    catch: (error) =>
      error instanceof EngineFailure ? error : new EngineFailure({ message: String(error) }),
  })
  return {
    pid: launched.child.pid ?? -1,
    ready,
    lines: () => launched.lines.slice(),
    signal: (signal) => Effect.sync(() => void launched.child.kill(signal)),
    exit: Effect.promise(() => launched.exited),
    stop: Effect.promise(launched.stop),
  }
})
