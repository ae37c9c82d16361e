import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import { ListenFailure } from "../../services/Listener/ListenerPort.ts"
import { SqlFailure } from "../../services/Sql/Sql.ts"

/** Every variable that is missing or malformed, in one line. */
class ConfigurationInvalid extends Data.TaggedError("ConfigurationInvalid")<{
  readonly problems: ReadonlyArray<string>
}> {}

/** The settings of one part of a process, under names that only the part uses. */
export type Settings = Readonly<Record<string, Config.Config<unknown>>>

const formatIssue = SchemaIssue.makeFormatterDefault()

const inOneLine = (text: string) => text.replaceAll(/\s*\n\s*/g, " ")

/** The variable that an error is about, and the problem with it. Without a path the source itself could not be read. */
const problemOf = ({ cause }: Config.ConfigError) => {
  if (!Schema.isSchemaError(cause) || cause.issue._tag !== "Pointer") return undefined
  const { path, issue } = cause.issue
  const [name] = path
  return typeof name === "string" ? { name, problem: formatIssue(issue) } : undefined
}

/** What is wrong with one variable, in one line. */
const describe = Effect.fnUntraced(function* (error: Config.ConfigError) {
  const found = problemOf(error)
  if (found === undefined) return inOneLine(error.message)
  const isSet = yield* Effect.isSuccess(Config.String(found.name))
  return isSet ? `${found.name} is not valid (${inOneLine(found.problem)})` : `${found.name} is not set`
})

/** Reads every setting of the process before it opens anything, so that one line names all mistakes. */
export const check = Effect.fnUntraced(function* (parts: ReadonlyArray<Settings>) {
  const problems = new Set<string>()
  for (const config of parts.flatMap((settings) => Object.values(settings))) {
    const read = yield* Effect.result(config)
    if (read._tag === "Failure") problems.add(yield* describe(read.failure))
  }
  if (problems.size > 0) return yield* new ConfigurationInvalid({ problems: [...problems] })
})

/** One line for the operator: which setting to correct, or which dependency is unavailable. */
export const explain = (error: unknown): string => {
  if (error instanceof ConfigurationInvalid) return `Configuration: ${error.problems.join("; ")}`
  if (error instanceof SqlFailure) {
    return `PostgreSQL (${error.variable ?? "DATABASE_URL"}) cannot be used: ${rootMessage(error)}`
  }
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
 * Runs a process until it is told to stop: checks the settings, then opens the log, then the layers. A start that fails
 * writes one line that says why, and the process ends with exit code 1.
 */
export const launch = <A, E, E2>(options: {
  readonly settings: ReadonlyArray<Settings>
  readonly telemetry: Layer.Layer<never, E2>
  readonly app: Layer.Layer<A, E>
}): Effect.Effect<never, unknown> =>
  // How to log is a setting too, so a mistake in the settings is written in plain text.
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

/** The exit code is 0 when the process was told to stop, else 1. */
export const teardown: Runtime.Teardown = (exit, onExit) =>
  onExit(Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? 0 : 1)
