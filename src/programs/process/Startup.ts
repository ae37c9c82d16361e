import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Runtime from "effect/Runtime"
import { ListenFailure } from "../../services/Listener/ListenerPort.ts"
import { SqlFailure } from "../../services/Sql/Sql.ts"

/** Every variable that is missing or malformed, in one line. */
class ConfigurationInvalid extends Data.TaggedError("ConfigurationInvalid")<{
  readonly problems: ReadonlyArray<string>
}> {}

/** The settings of one part of a process, by a name that only the part knows. */
export type Settings = Readonly<Record<string, Config.Config<unknown>>>

/** How a setting's error names its variable: the only place of a variable's name that an error has. */
const AT_VARIABLE = /^SchemaError\((.*) at \["([A-Z0-9_]+)"\]\)$/s

/** What is wrong with one variable, in one line. */
const describe = Effect.fnUntraced(function* (error: Config.ConfigError) {
  const [, problem, name] = AT_VARIABLE.exec(error.message) ?? []
  if (name === undefined || problem === undefined) return error.message.replaceAll(/\s*\n\s*/g, " ")
  const set = yield* Effect.isSuccess(Config.String(name))
  return set ? `${name} is not valid (${problem.replaceAll(/\s*\n\s*/g, " ")})` : `${name} is not set`
})

/** Reads every setting of the process before anything is opened, so that all mistakes are named at once. */
export const check = Effect.fnUntraced(function* (parts: ReadonlyArray<Settings>) {
  const problems = new Set<string>()
  for (const config of parts.flatMap((settings) => Object.values(settings))) {
    const read = yield* Effect.result(config)
    if (read._tag === "Failure") problems.add(yield* describe(read.failure))
  }
  if (problems.size > 0) return yield* new ConfigurationInvalid({ problems: [...problems] })
})

/** One line for the operator: what to mend, or which dependency is away. */
export const explain = (error: unknown): string => {
  if (error instanceof ConfigurationInvalid) return `Configuration: ${error.problems.join("; ")}`
  if (error instanceof SqlFailure) return `PostgreSQL (DATABASE_URL) cannot be used: ${rootMessage(error)}`
  if (error instanceof ListenFailure) {
    return `Cannot listen on ${error.host}:${error.port}: ${rootMessage(error)}`
  }
  return error instanceof Error && error.message !== "" ? error.message : rootMessage(error)
}

/** The message of the innermost cause: the driver's own words. */
const rootMessage = (error: unknown): string => {
  let current: unknown = error
  while (current instanceof Error && current.cause !== undefined) current = current.cause
  return current instanceof Error ? current.message : String(current)
}

/**
 * Runs a process until it is told to stop: settings first, then the log, then the layers. What prevents the start
 * is one line; the process then ends with exit code 1.
 */
export const launch = <A, E, E2>(options: {
  readonly settings: ReadonlyArray<Settings>
  readonly telemetry: Layer.Layer<never, E2>
  readonly app: Layer.Layer<A, E>
}): Effect.Effect<never, unknown> =>
  // How to log is a setting, too: a mistake in one of them is told in plain text.
  Effect.tapError(check(options.settings), (error) => Console.error(explain(error))).pipe(
    Effect.andThen(
      Layer.launch(options.app).pipe(
        Effect.onExit((exit) => {
          if (Exit.isSuccess(exit)) return Effect.void
          return Cause.hasInterruptsOnly(exit.cause)
            ? Effect.logInfo("Stopped")
            : Effect.logFatal(explain(Cause.squash(exit.cause)))
        }),
        Effect.provide(options.telemetry),
      ),
    ),
  )

/** A process that was told to stop and did ends with 0. */
export const teardown: Runtime.Teardown = (exit, onExit) =>
  onExit(Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? 0 : 1)
