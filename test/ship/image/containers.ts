import * as Effect from "effect/Effect"
import { randomUUID } from "node:crypto"
import { globSync, readFileSync } from "node:fs"
import { type ChildProcess, EngineFailure, spawn } from "../../support/engines/ChildProcess.ts"
import { demand, run } from "./run.ts"

/** What runs a container here: podman with all limits, or buildah's change of root, which has none but the user. */
export type Runtime = "podman" | "chroot"

/** Nobody has this number, in the image or elsewhere. */
export const USER = 4711

export const MEMORY_BYTES = 512 * 1024 * 1024

/** Everything that an orchestrator can take away from a process. */
const LIMITS = [
  "--read-only",
  "--read-only-tmpfs=false",
  "--cap-drop=all",
  "--security-opt=no-new-privileges",
  `--memory=${MEMORY_BYTES}`,
  "--pids-limit=100",
  // podman's own limits are higher than those of some machines, and raising them needs a capability.
  "--ulimit=nofile=10000:10000",
  "--ulimit=nproc=10000:10000",
]

export type Environment = Readonly<Record<string, string>>

interface Command {
  readonly command: string
  readonly args: ReadonlyArray<string>
}

/** The command that runs Node in a container with these arguments; what it left behind is gone with the scope. */
const prepare = Effect.fnUntraced(function* (
  runtime: Runtime,
  image: string,
  args: ReadonlyArray<string>,
  environment: Environment,
) {
  const env = Object.entries(environment).map(([name, value]) => `--env=${name}=${value}`)
  if (runtime === "podman") {
    const name = `scoreboard-ship-${randomUUID()}`
    yield* Effect.addFinalizer(() => run("podman", ["rm", "--force", "--time=0", "--ignore", name]))
    const options = ["--runtime=runc", "run", "--rm", `--name=${name}`, "--network=host", "--log-driver=none"]
    const user = [`--user=${USER}:${USER}`, "--passwd=false"]
    return { command: "podman", args: [...options, ...LIMITS, ...user, ...env, image, ...args] }
  }
  const container = yield* Effect.acquireRelease(demand("buildah", ["from", "--pull-never", image]), (name) =>
    run("buildah", ["rm", name]),
  )
  const options = ["run", "--isolation=chroot", `--user=${USER}:${USER}`, ...env]
  const made: Command = { command: "buildah", args: [...options, container, "--", "node", ...args] }
  return made
})

/** The process that a launcher started last, below it: the one that nothing else is a child of. */
const leafOf = (pid: number): number => {
  const [child] = globSync(`/proc/${pid}/task/*/children`).flatMap((path) =>
    readFileSync(path, "utf8").split(" ").map(Number).filter(Boolean),
  )
  return child === undefined ? pid : leafOf(child)
}

export interface Container extends ChildProcess {
  /** Sends SIGTERM to Node, as an orchestrator does, and waits for the end: its exit code, or what ended it. */
  readonly terminate: Effect.Effect<number | NodeJS.Signals>
}

/** What this machine's kernel lets us do with containers of an image. */
export const containersOf = Effect.fnUntraced(function* (image: string) {
  /** Runs Node with these arguments to its end. */
  const once =
    (runtime: Runtime) =>
    (args: ReadonlyArray<string>, environment: Environment = {}) =>
      prepare(runtime, image, args, environment).pipe(
        Effect.flatMap(({ command, args: all }) => run(command, all)),
        Effect.scoped,
      )

  const tried: Array<string> = []
  let runtime: Runtime | undefined
  for (const candidate of ["podman", "chroot"] as const) {
    const { code, output } = yield* once(candidate)(["--eval", "0"])
    if (code === 0) runtime ??= candidate
    else tried.push(`${candidate}: ${output.split("\n").at(-1)}`)
    if (runtime !== undefined) break
  }
  if (runtime === undefined)
    return yield* new EngineFailure({ message: `This kernel refuses containers (${tried.join("; ")})` })
  if (runtime === "chroot")
    console.warn(`No container with limits can run here, only one without (${tried.join("; ")})`)
  const used = runtime

  const start = Effect.fnUntraced(function* (options: {
    readonly args: ReadonlyArray<string>
    readonly env: Environment
    readonly readyWhen: RegExp
  }) {
    const prepared = yield* prepare(used, image, options.args, options.env)
    const child = yield* spawn({
      ...prepared,
      readyWhen: options.readyWhen,
      readyWithinMillis: 90_000,
      stopWithinMillis: 60_000,
    })
    // podman hands the signal on, buildah kills its child.
    const signal =
      used === "podman"
        ? child.signal("SIGTERM")
        : Effect.sync(() => void process.kill(leafOf(child.pid), "SIGTERM"))
    const container: Container = { ...child, terminate: Effect.andThen(signal, child.exit) }
    return container
  })
  return { runtime: used, run: once(used), start }
})
