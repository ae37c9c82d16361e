import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { EngineFailure } from "../../support/engines/ChildProcess.ts"

/** A command that ended. */
export interface Ended {
  /** -1 when a signal ended it or it could not be started. */
  readonly code: number
  readonly stdout: string
  /** Standard output and standard error, the latter last. */
  readonly output: string
}

/** Building an image prints a few thousand lines. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024

/** Runs a command to its end, whatever its exit code; it is killed when the effect is interrupted. */
export const run = (
  command: string,
  args: ReadonlyArray<string>,
  options: { readonly env?: Readonly<Record<string, string | undefined>>; readonly cwd?: string } = {},
) =>
  Effect.callback<Ended>((resume) => {
    const child = execFile(
      command,
      args,
      { ...options, env: { ...(options.env ?? process.env) }, maxBuffer: MAX_OUTPUT_BYTES },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1
        const reason = code === -1 ? `${error?.message}\n` : ""
        resume(Effect.succeed({ code, stdout, output: `${stdout}${stderr}${reason}`.trim() }))
      },
    )
    return Effect.sync(() => void child.kill("SIGKILL"))
  })

/**
 * The same for a command that has to succeed: its standard output, or a failure with its last line, which mostly says why,
 * and those before it.
 */
export const demand = Effect.fnUntraced(function* (...[command, args, options]: Parameters<typeof run>) {
  const { code, stdout, output } = yield* run(command, args, options)
  if (code === 0) return stdout.trim()
  const lines = output.split("\n")
  const [why = "no output"] = lines.slice(-1)
  return yield* new EngineFailure({
    message: [`${command} ${args[0]} ended with ${code}: ${why}`, ...lines.slice(-20, -1)].join("\n  "),
  })
})
