import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import type * as Runtime from "effect/Runtime"
import * as CliError from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import type { HelpDoc } from "effect/cli/HelpDoc"
import { AdminRefused } from "./AdminRefused.ts"

/** The exit codes of a command; 0 = done. A shell and most of its programs use 2 and 130 for the same. */
const EXIT = {
  /** Refused, or a difference was found. */
  refused: 1,
  /** The command line is wrong; nothing was done. */
  usage: 2,
  /** Something that is needed is not configured or does not answer. */
  unanswered: 3,
  /** Interrupted, by Ctrl-C or SIGTERM: not everything was done. */
  interrupted: 130,
} as const

const { formatCliError } = CliOutput.defaultFormatter({ colors: false })

/** One problem with the command line, as one sentence or two without the last full stop. */
const problemOf = (error: CliError.CliError) => {
  const [text, ...rest] = formatCliError(error)
    .trim()
    .split(/\s*\n\s*/)
  const suggested = "suggestions" in error && error.suggestions.length > 0
  const lines = suggested ? [`${text}. Did you mean ${error.suggestions.join(" or ")}?`] : [text, ...rest]
  return lines.join(" ").replace("Expected: Schema validation failed: Expected", "Expected")
}

/** What is wrong with a command line, in one line, and where its help is. */
const usageError = (commandPath: ReadonlyArray<string>, problems: ReadonlyArray<string>) => {
  const command = commandPath.join(" ")
  const text = problems.join("; ")
  return Console.error(`${command}: ${text}${text.endsWith("?") ? "" : "."} See ${command} --help`)
}

const subcommandsOf = (doc: HelpDoc) =>
  (doc.subcommands ?? []).flatMap(({ commands }) => commands.map(({ name }) => name)).join(", ")

/** Help and version are answers, on standard output; a mistake in the command line is one line on standard error. */
const presenter = (product: string): CliOutput.Presenter => ({
  present: (event) => {
    if (event._tag === "Version") return Console.log(`${product} ${event.version}`)
    if (event._tag === "InvalidInvocation") {
      return usageError(event.commandPath, event.errors.map(problemOf))
    }
    return event.reason === "Requested"
      ? CliOutput.defaultPresenter.present(event)
      : usageError(event.commandPath, [`name one of its commands: ${subcommandsOf(event.helpDoc)}`])
  },
})

/**
 * Runs the command of the command line. Standard output has only its answer; everything else, a failure in one line
 * included, is on standard error.
 */
export const runAdmin =
  (product: {
    readonly name: string
    readonly version: string
    readonly explain: (error: unknown) => string
  }) =>
  <Name extends string, Input, E, R, ContextInput>(
    command: Command.Command<Name, Input, ContextInput, E, R>,
  ) =>
    Command.run(command, { version: product.version }).pipe(
      Effect.tapCause((cause) => {
        const error = Cause.squash(cause)
        // The presenter has told what is wrong with the command line.
        return Cause.hasInterruptsOnly(cause) || CliError.isCliError(error)
          ? Effect.void
          : Console.error(product.explain(error))
      }),
      Effect.provide(
        Layer.mergeAll(
          CliOutput.layerPresenter(presenter(product.name)),
          Layer.succeed(References.MinimumLogLevel, "Error"),
          Layer.succeed(References.LogToStderr, true),
        ),
      ),
    )

/** The exit code tells how a command ended: see `EXIT`. */
export const adminTeardown: Runtime.Teardown = (exit, onExit) => {
  if (Exit.isSuccess(exit)) return onExit(0)
  if (Cause.hasInterruptsOnly(exit.cause)) return onExit(EXIT.interrupted)
  const error = Cause.squash(exit.cause)
  if (CliError.isCliError(error)) return onExit(EXIT.usage)
  onExit(error instanceof AdminRefused ? EXIT.refused : EXIT.unanswered)
}
