import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { existsSync, realpathSync } from "node:fs"
import { join } from "node:path"

/** The folder with the programs that check the OpenAPI document. They are heavy, so they have a package of their own. */
export const TOOLS = join(import.meta.dirname, "../../openapi")

export const HOW_TO_INSTALL =
  "The checks of the OpenAPI document are not installed: run `npm ci --prefix test/openapi`"

/** What a program printed, and its exit code: null after a signal. */
export interface Ended {
  readonly code: number | null
  readonly output: string
}

/** Neither reports its use nor looks for a newer version of itself. */
const QUIET = { REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true", NO_COLOR: "1" }

/** Runs a script with this Node until it ends; both of its outputs are read as one. */
export const runNode = (script: string, args: ReadonlyArray<string>, cwd: string) =>
  Effect.callback<Ended, Error>((resume) => {
    const child = spawn(process.execPath, [script, ...args], {
      cwd,
      env: { ...process.env, ...QUIET },
      stdio: ["ignore", "pipe", "pipe"],
    })
    const chunks: Array<Buffer> = []
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk))
    child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk))
    child.on("error", (error) => resume(Effect.fail(error)))
    child.on("close", (code) => resume(Effect.succeed({ code, output: Buffer.concat(chunks).toString() })))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

/** Runs a program of the package; fails with the way to install it if it is missing. */
export const runTool = (name: string, args: ReadonlyArray<string>, cwd: string) =>
  Effect.suspend(() => {
    const link = join(TOOLS, "node_modules/.bin", name)
    return existsSync(link)
      ? runNode(realpathSync(link), args, cwd)
      : Effect.fail(new Error(`${HOW_TO_INSTALL} (${name} is missing)`))
  })
