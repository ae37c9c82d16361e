import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { execFile } from "node:child_process"
import { join } from "node:path"

const MAIN = join(import.meta.dirname, "../../../../src/main-admin.ts")

/** How a command ended and what it said. */
export interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface RunOptions {
  /** Becomes `DATABASE_URL`. */
  readonly url?: Redacted.Redacted
  /** The whole environment beside `DATABASE_URL`. */
  readonly env?: Readonly<Record<string, string>>
  /** The folder of the command: that of the tests when left out. */
  readonly cwd?: string
  readonly uid?: number
  /** What runs the command, such as `unshare --user`. */
  readonly prefix?: ReadonlyArray<string>
  /** Gets what is written to standard output and standard error, as it comes. */
  readonly onOutput?: (text: string, kill: (signal: NodeJS.Signals) => void) => void
}

/** Runs `npm run admin -- …` without npm, to its end. */
export const runAdmin = (args: ReadonlyArray<string>, options: RunOptions = {}) =>
  Effect.callback<Ended>((resume) => {
    const { cwd, onOutput, prefix = [], uid, url } = options
    const [command = process.execPath, ...before] = [...prefix, process.execPath, MAIN, ...args]
    const child = execFile(
      command,
      before,
      {
        env: { ...options.env, ...(url === undefined ? {} : { DATABASE_URL: Redacted.value(url) }) },
        ...(cwd === undefined ? {} : { cwd }),
        ...(uid === undefined ? {} : { uid, gid: uid }),
        maxBuffer: 16 * 1024 * 1024,
      },
      (error, out, err) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1
        resume(Effect.succeed({ code, out, err }))
      },
    )
    const heard = (text: string) => onOutput?.(text, (signal) => child.kill(signal))
    child.stdout?.on("data", heard)
    child.stderr?.on("data", heard)
    return Effect.sync(() => void child.kill("SIGKILL"))
  })

/** Nobody in a passwd file has this id. */
export const UNKNOWN_UID = 54_321

/**
 * Runs a command under an id that no passwd file knows: in a user namespace, where files stay readable that belong to
 * whoever runs the tests; where the kernel allows none, root takes the id itself.
 */
export const runAsUnknown = (args: ReadonlyArray<string>, options: RunOptions = {}) =>
  Effect.gen(function* () {
    const prefix = ["unshare", "--user", `--map-user=${UNKNOWN_UID}`, `--map-group=${UNKNOWN_UID}`]
    const env = { PATH: process.env["PATH"] ?? "", ...options.env }
    const ended = yield* runAdmin(args, { ...options, env, prefix })
    if (!/^unshare: /m.test(ended.err) && ended.code !== -1) return ended
    assert.strictEqual(process.getuid?.(), 0, `neither a user namespace nor root: ${ended.err}`)
    return yield* runAdmin(args, { ...options, uid: UNKNOWN_UID })
  })
