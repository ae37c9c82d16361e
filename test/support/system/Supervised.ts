import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { type ChildProcess, spawn } from "../engines/ChildProcess.ts"
import { ROOT } from "../engines/embeddedPostgres.ts"

/** A line of a process's log. */
export interface LogLine {
  readonly level: string
  readonly message: string
  readonly text: string
}

/** A process that tests kill and start again, as a supervisor does. */
export interface Supervised {
  /** Sends SIGKILL and waits until the process has ended. Does nothing while it is not running. */
  readonly kill: Effect.Effect<void>
  /** Sends SIGTERM and waits until the process has ended, as a rolling restart does. Nothing while it is not running. */
  readonly stop: Effect.Effect<void>
  /** Starts it, repeatedly until it serves: without PostgreSQL a process ends at once. Idempotent. */
  readonly start: Effect.Effect<void>
  /** Its warnings and errors so far, oldest first, over all starts. */
  readonly log: ReadonlyArray<LogLine>
  /** One line for each time that the process ended by itself. */
  readonly ends: ReadonlyArray<string>
  /** The URL of health and metrics; another one after every start. */
  readonly management: () => string
}

const Line = Schema.fromJsonString(Schema.Struct({ level: Schema.String, message: Schema.Unknown }))
const decodeLine = Schema.decodeUnknownOption(Line)

/** As a supervisor does, but a hundred times at most. */
const START_AGAIN = Schedule.spaced("300 millis").pipe(Schedule.upTo({ times: 100 }))

const SERVES = { api: /"The API is listening"/, worker: /"Health and metrics are served"/ }
const MANAGEMENT = /"Health and metrics are served".*"port":(\d+)/

/** Starts a process, and stores its log lines from the level of a warning on. */
export const supervise = Effect.fnUntraced(function* (options: {
  readonly name: string
  readonly main: string
  readonly env: Readonly<Record<string, string | undefined>>
}) {
  const scope = yield* Effect.scope
  const log: Array<LogLine> = []
  const ends: Array<string> = []
  let management = ""
  let running: ChildProcess | undefined

  const onLine = (text: string) => {
    const served = MANAGEMENT.exec(text)
    if (served !== null) management = `http://127.0.0.1:${served[1]}`
    const decoded = decodeLine(text)
    // A line that is not JSON comes from Node itself: a warning, or the reason of a crash.
    const { level, message } = decoded._tag === "Some" ? decoded.value : { level: "RAW", message: text }
    if (["TRACE", "DEBUG", "INFO"].includes(level.toUpperCase())) return
    const first: unknown = Array.isArray(message) ? message[0] : message
    log.push({ level: level.toUpperCase(), message: String(first), text })
  }
  const launch = spawn({
    command: process.execPath,
    args: [options.main],
    cwd: ROOT,
    env: options.env,
    readyWhen: options.name.startsWith("api") ? SERVES.api : SERVES.worker,
    readyWithinMillis: 30_000,
    stopWithinMillis: 15_000,
    onLine,
  }).pipe(Scope.provide(scope))

  const watch = (child: ChildProcess) =>
    Effect.flatMap(child.exit, (how) =>
      Effect.sync(() => {
        if (running !== child) return
        running = undefined
        ends.push(`${options.name} ended by itself (${how}): ${child.lines().slice(-3).join(" | ")}`)
      }),
    )
  const start = Effect.gen(function* () {
    if (running !== undefined) return
    const child = yield* Effect.orDie(Effect.retry(launch, START_AGAIN))
    running = child
    yield* Effect.forkIn(watch(child), scope)
  })
  // Runs before the scope stops the process, so that this end does not count as one by itself.
  yield* start
  yield* Effect.addFinalizer(() => Effect.sync(() => (running = undefined)))

  /** Ends it in this way, which does not count as an end by itself. */
  const end = (how: (child: ChildProcess) => Effect.Effect<unknown>) =>
    Effect.suspend(() => {
      const child = running
      running = undefined
      return child === undefined ? Effect.void : Effect.asVoid(how(child))
    })
  const supervised: Supervised = {
    start,
    kill: end((child) => Effect.andThen(child.signal("SIGKILL"), child.exit)),
    stop: end((child) => child.stop),
    log,
    ends,
    management: () => management,
  }
  return supervised
})
