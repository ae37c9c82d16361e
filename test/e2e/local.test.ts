import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { cp, mkdir, readFile, symlink, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { loadConfigFromFile } from "vite"
import { spawn } from "../support/engines/ChildProcess.ts"
import { engineFolder } from "../support/engines/runFolder.ts"
import { openViewer, request, until } from "../support/fixtures.ts"
import { increment, ROOT, runToEnd, signIn } from "./fixtures.ts"
import { timedRunning } from "../support/stalls.ts"

const PAGE = "<!doctype html><title>A page</title>"

/** Whether there is a process of this id. */
const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** The process id of the embedded PostgreSQL of a folder; none when it does not run. */
const postgresOf = (folder: string) =>
  Effect.promise(() =>
    readFile(join(folder, ".data/postgres/cluster/postmaster.pid"), "utf8").then(
      (text) => Number(text.split("\n")[0]),
      () => undefined,
    ),
  )

/** An empty folder to run in. A database that a killed process left behind goes with it. */
const workingFolder = Effect.gen(function* () {
  const folder = yield* engineFolder("scoreboard-local-")
  yield* Effect.addFinalizer(() =>
    Effect.map(postgresOf(folder), (pid) => {
      if (pid !== undefined && isAlive(pid)) process.kill(pid, "SIGKILL")
    }),
  )
  return folder
})

/** A checkout with a page that was built, whatever the state of this one. */
const checkoutWithPage = Effect.gen(function* () {
  const checkout = yield* engineFolder("scoreboard-checkout-")
  yield* Effect.promise(async () => {
    await cp(join(ROOT, "src"), join(checkout, "src"), { recursive: true })
    await cp(join(ROOT, "package.json"), join(checkout, "package.json"))
    await symlink(join(ROOT, "node_modules"), join(checkout, "node_modules"))
    await mkdir(join(checkout, "dist/web"), { recursive: true })
    await writeFile(join(checkout, "dist/web/index.html"), PAGE)
  })
  return checkout
})

/** `npm start` of a checkout in a folder: it has printed its greeting. */
const startLocal = Effect.fnUntraced(function* (folder: string, checkout: string = ROOT) {
  const child = yield* spawn({
    command: process.execPath,
    args: [join(checkout, "src/main-local.ts")],
    cwd: folder,
    env: { PATH: process.env["PATH"], PORT: "0", LOG_FORMAT: "json" },
    readyWhen: /Password\s+(\S+)/,
    readyWithinMillis: 60_000,
    stopWithinMillis: 15_000,
  })
  const printed = (pattern: RegExp) => child.lines().flatMap((line) => pattern.exec(line)?.[1] ?? [])[0] ?? ""
  return {
    child,
    url: printed(/Score board\s+(http:\/\/127\.0\.0\.1:\d+)$/),
    accounts: printed(/Sign in as\s+(.+)/).split(", "),
    password: String(child.ready[1]),
    interrupt: Effect.gen(function* () {
      yield* child.signal("SIGINT")
      const [elapsed, code] = yield* timedRunning(Effect.timeout(child.exit, "30 seconds"))
      assert.isBelow(elapsed, 5_000)
      return code
    }),
  }
})

const boardOf = (url: string) => Effect.map(request(`${url}/scores`), ({ body }) => body)
const board = (email: string | undefined, score: number) => JSON.stringify({ scores: [{ email, score }] })

it.live("`npm start` greets, plays live, stops on Ctrl-C with its database, and keeps the scores", () =>
  Effect.gen(function* () {
    const folder = yield* workingFolder
    const first = yield* startLocal(folder, yield* checkoutWithPage)
    assert.isAbove(first.accounts.length, 1)
    const page = yield* request(`${first.url}/`)
    assert.deepStrictEqual([page.status, page.body], [200, PAGE], "the page beside the sources")
    const [email = ""] = first.accounts
    const viewers = yield* Effect.all([1, 2].map(() => openViewer(`${first.url}/scores/websocket`)))
    const token = yield* signIn(first.url, { email, password: first.password })
    assert.strictEqual((yield* increment(first.url, token)).status, 200)
    for (const viewer of viewers) yield* viewer.until((frame) => frame === board(email, 1))

    const postgres = yield* postgresOf(folder)
    assert.isTrue(postgres !== undefined && isAlive(postgres))
    assert.strictEqual(yield* first.interrupt, 0)
    for (const viewer of viewers) assert.strictEqual(yield* viewer.closed, 1012)
    assert.isFalse(postgres === undefined || isAlive(postgres))
    assert.isUndefined(yield* postgresOf(folder))

    const second = yield* startLocal(folder)
    assert.strictEqual(yield* boardOf(second.url), board(email, 1))
    // The key is kept as well: who was signed in still is.
    assert.strictEqual((yield* increment(second.url, token)).status, 200)
    yield* until("the board", boardOf(second.url), (seen) => seen === board(email, 2))
    assert.strictEqual(yield* second.interrupt, 0)
  }),
)

it.live("`npm start` takes over from one that was killed, and refuses a folder that is in use", () =>
  Effect.gen(function* () {
    const folder = yield* workingFolder
    const first = yield* startLocal(folder)
    const [email = ""] = first.accounts
    const token = yield* signIn(first.url, { email, password: first.password })
    assert.strictEqual((yield* increment(first.url, token)).status, 200)

    const refused = yield* runToEnd("local", { PORT: "0", LOG_FORMAT: "json" }, folder)
    assert.strictEqual(refused.code, 1)
    const fatal = refused.lines.filter((line) => line.includes('"FATAL"'))
    assert.strictEqual(fatal.length, 1, refused.lines.join("\n"))
    assert.match(String(fatal[0]), /\.data\/postgres is in use/)
    assert.strictEqual((yield* increment(first.url, token)).status, 200)

    yield* first.child.signal("SIGKILL")
    yield* first.child.exit
    const second = yield* startLocal(folder)
    yield* until("the board", boardOf(second.url), (seen) => seen === board(email, 2))
    assert.strictEqual((yield* increment(second.url, token)).status, 200)
    yield* until("the board", boardOf(second.url), (seen) => seen === board(email, 3))
    assert.strictEqual(yield* second.interrupt, 0)
    assert.isUndefined(yield* postgresOf(folder))
  }),
)

it.live("`npm run web:dev` forwards to the port of `npm start`", () =>
  Effect.gen(function* () {
    const targetWith = (port: string | undefined) =>
      Effect.promise(async () => {
        const before = process.env["PORT"]
        if (port === undefined) delete process.env["PORT"]
        else process.env["PORT"] = port
        const loaded = await loadConfigFromFile(
          { command: "serve", mode: "development" },
          join(ROOT, "web/vite.config.ts"),
        )
        if (before === undefined) delete process.env["PORT"]
        else process.env["PORT"] = before
        return JSON.stringify(loaded?.config.server?.proxy)
      })
    assert.include(yield* targetWith("18080"), '"/users":{"target":"http://127.0.0.1:18080"}')
    assert.include(yield* targetWith(undefined), '"/users":{"target":"http://127.0.0.1:8080"}')
  }),
)
