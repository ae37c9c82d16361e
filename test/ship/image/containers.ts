import * as Effect from "effect/Effect"
import { randomUUID } from "node:crypto"
import { globSync, readFileSync, readlinkSync } from "node:fs"
import { basename } from "node:path"
import { type ChildProcess, EngineFailure, spawn } from "../../support/engines/ChildProcess.ts"
import { demand, run } from "./run.ts"

/** What runs a container here: podman with all limits, or buildah's change of root, which has none but the user. */
export type Runtime = "podman" | "chroot"

/** Nobody has this number, in the image or elsewhere. */
export const USER = 4711

export const MEMORY_BYTES = 512 * 1024 * 1024

/** How long a start may take, and an end, in milliseconds: ample on a machine that also does other things. */
const READY_MILLIS = 90_000
const STOP_MILLIS = 60_000

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

/** An image, and what it runs: `buildah run` does not look. */
export interface Image {
  readonly name: string
  readonly entrypoint: ReadonlyArray<string>
  /** What follows the entrypoint when there are no other arguments. */
  readonly command: ReadonlyArray<string>
}

export interface Options {
  /** Those of the image when left out. */
  readonly args?: ReadonlyArray<string>
  readonly env?: Environment
  /** Folders of this machine: `<folder>:<place>`. */
  readonly volumes?: ReadonlyArray<string>
}

/** The command that runs an image in a container; what it left behind is gone with the scope. */
const prepare = Effect.fnUntraced(function* (runtime: Runtime, image: Image, options: Options) {
  const { args = [], env = {}, volumes = [] } = options
  const given = [
    `--user=${USER}:${USER}`,
    ...Object.entries(env).map(([name, value]) => `--env=${name}=${value}`),
    ...volumes.map((volume) => `--volume=${volume}`),
  ]
  if (runtime === "podman") {
    const name = `scoreboard-ship-${randomUUID()}`
    yield* Effect.addFinalizer(() => run("podman", ["rm", "--force", "--time=0", "--ignore", name]))
    const how = ["--runtime=runc", "run", "--rm", `--name=${name}`, "--network=host", "--log-driver=none"]
    return {
      command: "podman",
      args: [...how, "--passwd=false", ...LIMITS, ...given, image.name, ...args],
    }
  }
  const container = yield* Effect.acquireRelease(
    demand("buildah", ["from", "--pull-never", image.name]),
    (name) => run("buildah", ["rm", name]),
  )
  const command = [...image.entrypoint, ...(args.length === 0 ? image.command : args)]
  return { command: "buildah", args: ["run", "--isolation=chroot", ...given, container, "--", ...command] }
})

/** Runs an image to its end. */
const once = (runtime: Runtime, image: Image, options: Options) =>
  prepare(runtime, image, options).pipe(
    Effect.flatMap(({ command, args }) => run(command, args)),
    Effect.scoped,
  )

/** Processes that others started, without those that they started in turn. */
const childrenOf = (pid: number) =>
  globSync(`/proc/${pid}/task/*/children`).flatMap((path) =>
    readFileSync(path, "utf8").split(" ").map(Number).filter(Boolean),
  )

const isNode = (pid: number) => {
  try {
    return basename(readlinkSync(`/proc/${pid}/exe`)) === "node"
  } catch {
    // It has just ended.
    return false
  }
}

/** The topmost Node below a process. */
const nodeBelow = (pid: number): number | undefined =>
  childrenOf(pid)
    .map((child) => (isNode(child) ? child : nodeBelow(child)))
    .find((found) => found !== undefined)

export interface Container extends ChildProcess {
  /** Sends SIGTERM to Node, as an orchestrator does, and waits for the end: its exit code, or what ended it. */
  readonly terminate: Effect.Effect<number | NodeJS.Signals>
}

const start = Effect.fnUntraced(function* (
  runtime: Runtime,
  image: Image,
  options: Options & { readonly readyWhen: RegExp },
) {
  const prepared = yield* prepare(runtime, image, options)
  const child = yield* spawn({
    ...prepared,
    readyWhen: options.readyWhen,
    readyWithinMillis: READY_MILLIS,
    stopWithinMillis: STOP_MILLIS,
  })
  // podman hands the signal on; buildah kills its child, which then leaves its own children behind.
  const signal =
    runtime === "podman"
      ? child.signal("SIGTERM")
      : Effect.sync(() => {
          const node = nodeBelow(child.pid)
          if (node !== undefined) process.kill(node, "SIGTERM")
        })
  const terminate = Effect.andThen(signal, child.exit)
  yield* Effect.addFinalizer(() => Effect.timeoutOption(terminate, STOP_MILLIS))
  const container: Container = { ...child, terminate }
  return container
})

/** What this kernel lets us do with a container of an image that has Node. Fails with the reasons if nothing. */
const findRuntime = Effect.fnUntraced(function* (image: Image) {
  const refusals: Array<string> = []
  for (const runtime of ["podman", "chroot"] as const) {
    const { code, output } = yield* once(runtime, image, { args: ["--eval", "0"] })
    if (code === 0) {
      if (refusals.length > 0)
        console.warn(`Containers run without limits and a read-only root here (${refusals.join("; ")})`)
      return runtime
    }
    refusals.push(`${runtime}: ${output.split("\n").at(-1)}`)
  }
  return yield* new EngineFailure({ message: `This kernel refuses containers (${refusals.join("; ")})` })
})

/** Finds out how containers run on this machine. `image` starts Node. */
export const containerRunner = Effect.fnUntraced(function* (image: Image) {
  const runtime = yield* findRuntime(image)
  return {
    runtime,
    /** Runs an image to its end. */
    once: (of: Image, options: Options) => once(runtime, of, options),
    /** Starts an image, and waits until a line of its output matches; it ends with the scope. */
    start: (of: Image, options: Options & { readonly readyWhen: RegExp }) => start(runtime, of, options),
  }
})
export type Runner = Effect.Success<ReturnType<typeof containerRunner>>
