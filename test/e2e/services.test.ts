import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { readFile, stat } from "node:fs/promises"
import { createServer } from "node:net"
import { join } from "node:path"
import { parseEnv, promisify } from "node:util"
import { spawn } from "../support/engines/ChildProcess.ts"
import { freePort } from "../support/engines/freePort.ts"
import { listen } from "../support/engines/listen.ts"
import { engineFolder } from "../support/engines/runFolder.ts"
import { exchange, openViewer, request, until } from "../support/fixtures.ts"
import { increment, ROOT, runScript, signIn, startApi, startWorker, untilReadiness } from "./fixtures.ts"

const SCRIPT = "scripts/services.ts"
const NAMES = ["postgres", "redis", "sqs", "cognito", "health"] as const

/** A process of this machine. */
interface Process {
  readonly pid: number
  readonly parent: number
  readonly command: string
}

const processes = Effect.promise(async (): Promise<ReadonlyArray<Process>> => {
  const { stdout } = await promisify(execFile)("ps", ["-A", "-o", "pid=,ppid=,args="])
  return stdout.split("\n").flatMap((line) => {
    const [, pid, parent, command = ""] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? []
    return pid === undefined ? [] : [{ pid: Number(pid), parent: Number(parent), command }]
  })
})

/** The processes that a process started, and those that they started. */
const descendantsOf = (pid: number) =>
  Effect.map(processes, (all) => {
    const found: Array<Process> = []
    const pending = [pid]
    for (const parent of pending) {
      const children = all.filter((one) => one.parent === parent)
      found.push(...children)
      pending.push(...children.map((child) => child.pid))
    }
    return found
  })

/** Where a test keeps data, and its own ports. */
const place = Effect.gen(function* () {
  const folder = yield* engineFolder("scoreboard-services-")
  const ports: Record<string, number> = {}
  for (const name of NAMES) ports[name] = yield* freePort
  const args = [
    "--data",
    join(folder, "data"),
    ...Object.entries(ports).flatMap(([name, port]) => [`--${name}-port`, String(port)]),
  ]
  return { folder, ports, args, env: join(folder, ".env") }
})
type Place = Effect.Success<typeof place>

/** `npm run dev:services`, running: it has said so. */
const startServices = Effect.fnUntraced(function* ({ args, ports }: Place, ...more: ReadonlyArray<string>) {
  const child = yield* spawn({
    command: process.execPath,
    args: [SCRIPT, ...args, ...more],
    cwd: ROOT,
    env: { PATH: process.env["PATH"] },
    readyWhen: /Ctrl-C stops everything/,
    readyWithinMillis: 90_000,
    stopWithinMillis: 30_000,
  })
  const health = yield* request(`http://127.0.0.1:${ports["health"]}/`)
  assert.strictEqual(health.status, 200)
  return { child, started: yield* descendantsOf(child.pid) }
})

/** Asserts that nothing is left of what ran: no process, and no port that answers. */
const assertGone = Effect.fnUntraced(function* (started: ReadonlyArray<Process>, ports: Place["ports"]) {
  const pids = new Set(started.map(({ pid }) => pid))
  yield* until(
    "the end of every process",
    Effect.map(processes, (all) => all.filter(({ pid }) => pids.has(pid))),
    (left) => left.length === 0,
  )
  for (const [name, port] of Object.entries(ports)) {
    const failure = yield* Effect.flip(exchange(port, ""))
    assert.include(failure.message, "ECONNREFUSED", name)
  }
})

/** The settings in a text, as `node --env-file` reads them. */
const settingsIn = (text: string): Record<string, string> =>
  Object.fromEntries(
    Object.entries(parseEnv(text)).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )

const board = (email: string, score: number) => JSON.stringify({ scores: [{ email, score }] })

it.live("`npm run dev:services` runs what the API and the worker need, with the settings it prints", () =>
  Effect.gen(function* () {
    const at = yield* place
    const services = yield* startServices(at, "--write", at.env)
    assert.strictEqual((yield* Effect.promise(() => stat(at.env))).mode & 0o777, 0o600)
    const settings = settingsIn(yield* Effect.promise(() => readFile(at.env, "utf8")))

    const play = Effect.gen(function* () {
      const api = yield* startApi(settings)
      const worker = yield* startWorker(settings)
      yield* untilReadiness(api.management, "200 ready")
      yield* untilReadiness(worker.management, "200 ready")
      return yield* openViewer(`${api.url}/scores/websocket`).pipe(Effect.map((viewer) => ({ api, viewer })))
    })
    const ada = { email: "ada@example.com", password: "scoreboard" }
    yield* Effect.scoped(
      Effect.gen(function* () {
        const { api, viewer } = yield* play
        const token = yield* signIn(api.url, ada)
        assert.strictEqual((yield* increment(api.url, token)).status, 200)
        yield* viewer.until((frame) => frame === board(ada.email, 1))
      }),
    )
    yield* services.child.signal("SIGINT")
    assert.strictEqual(yield* Effect.timeout(services.child.exit, "40 seconds"), 0)
    assert.isAtLeast(services.started.length, 4)
    yield* assertGone(services.started, at.ports)

    const refused = yield* runScript(SCRIPT, [...at.args, "--write", at.env])
    assert.strictEqual(refused.code, 1)
    assert.match(refused.lines.join("\n"), /^\S+\.env exists and is not overwritten[^\n]*$/)

    // A second start finds the scores and the user of the first one.
    const again = yield* startServices(at)
    const printed = settingsIn(again.child.lines().join("\n"))
    assert.deepInclude(printed, settings)
    yield* Effect.scoped(
      Effect.gen(function* () {
        const { api, viewer } = yield* play
        yield* viewer.until((frame) => frame === board(ada.email, 1))
        const token = yield* signIn(api.url, ada)
        assert.strictEqual((yield* increment(api.url, token)).status, 200)
        yield* viewer.until((frame) => frame === board(ada.email, 2))
      }),
    )
    const redis = again.started.find(({ command }) => command.includes("redis-server"))
    assert.isDefined(redis)
    process.kill(redis.pid, "SIGKILL")
    assert.strictEqual(yield* Effect.timeout(again.child.exit, "40 seconds"), 1)
    assert.include(again.child.lines().join("\n"), "Redis has ended, so everything is stopped: see ")
    yield* assertGone(again.started, at.ports)
  }),
)

it.live("`npm run dev:services` leaves nothing behind when it is killed", () =>
  Effect.gen(function* () {
    const at = yield* place
    const { child, started } = yield* startServices(at, "--only", "redis,sqs,cognito")
    assert.isFalse(child.lines().some((line) => line.startsWith("DATABASE_")))
    yield* child.signal("SIGKILL")
    yield* child.exit
    yield* assertGone(started, at.ports)
  }),
)

it.live("`npm run dev:services` says in one line what keeps it from starting", () =>
  Effect.gen(function* () {
    const at = yield* place
    const taken = yield* listen(createServer())
    const line = (...args: ReadonlyArray<string>) =>
      Effect.map(runScript(SCRIPT, [...at.args, ...args], { PATH: "/nowhere" }), ({ code, lines }) => {
        assert.strictEqual(code, 1)
        assert.strictEqual(lines.length, 1, lines.join("\n"))
        return String(lines[0])
      })
    assert.match(
      yield* line("--sqs-port", String(taken)),
      new RegExp(`^Port ${taken} of 127\\.0\\.0\\.1 cannot be used for sqs .*EADDRINUSE.* --sqs-port$`),
    )
    assert.match(
      yield* line("--only", "redis"),
      /^redis-server is not installed: apt-get install redis-server/,
    )
  }),
)
