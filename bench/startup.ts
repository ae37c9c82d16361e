import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { spawn } from "../test/support/engines/ChildProcess.ts"
import * as FakeCognito from "../test/support/engines/FakeCognito.ts"
import * as Postgres from "../test/support/engines/Postgres.ts"
import { startRedisServer } from "../test/support/engines/RedisServer.ts"
import { engineFolder } from "../test/support/engines/runFolder.ts"
import { startSqsServer } from "../test/support/engines/SqsServer.ts"
import { moduleGraph, packageOf } from "../test/support/moduleGraph.ts"
import { cpuMicros, type Figures, quantile } from "./figures.ts"
import { residentBytes } from "./live/process.ts"

/**
 * `node bench/startup.ts [checkout …] [--rounds n]` (Linux): what each process loads, how long it takes to start, and how
 * much memory it has when nothing happens. With other checkouts, all of them in turns.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "5" } },
})
const rounds = Number(values.rounds)

/** From the start of a process to the look at its memory: by then it has connected and collected its garbage once. */
const IDLE_AFTER = "3 seconds"

const ROOT = join(import.meta.dirname, "..")
const checkouts = [ROOT, ...positionals.map((folder) => resolve(folder))]

const MAINS = [
  { main: "api", readyWhen: /The API is listening/ },
  { main: "worker", readyWhen: /Health and metrics are served/ },
  { main: "local", readyWhen: /Password\s+\S+/ },
] as const
type Main = (typeof MAINS)[number]

/** What a main file imports, loaded without running it. */
const loadGraph = async (checkout: string, { main }: Main): Promise<Figures> => {
  const graph = await moduleGraph(checkout, `src/main-${main}.ts`)
  const packages = graph.urls.map(packageOf)
  return {
    "files loaded": graph.urls.length,
    "of them ours": graph.urls.filter((url) => url.startsWith("file:") && !url.includes("/node_modules/"))
      .length,
    "packages loaded": new Set(packages.filter((name) => name !== undefined)).size,
    "import, ms": graph.importMillis,
    "memory after the imports, MB": graph.residentBytes / 1e6,
  }
}

/** Engines of one checkout, and the folder in which its local process keeps its data. */
const prepare = Effect.gen(function* () {
  const [postgres, redis, sqs, identity, folder] = yield* Effect.all(
    [Postgres.make(), startRedisServer(), startSqsServer(), FakeCognito.make, engineFolder("scoreboard-")],
    { concurrency: "unbounded" },
  )
  const common = {
    PATH: process.env["PATH"],
    NODE_ENV: "production",
    HOST: "127.0.0.1",
    PORT: "0",
    MANAGEMENT_PORT: "0",
    LOG_FORMAT: "json",
  }
  const served = {
    ...common,
    DATABASE_URL: Redacted.value(postgres.url),
    REDIS_URL: redis.url,
    ...sqs.env,
    ...identity.env,
    COGNITO_JWKS_URI: `${identity.env.COGNITO_ISSUER}/.well-known/jwks.json`,
  }
  return { folder, env: { api: served, worker: served, local: common } }
})
type Prepared = Effect.Success<typeof prepare>

/** Starts a process, waits until it idles, and ends it. */
const startOnce = (checkout: string, { folder, env }: Prepared, { main, readyWhen }: Main) =>
  Effect.scoped(
    Effect.gen(function* () {
      const begun = performance.now()
      const child = yield* spawn({
        command: process.execPath,
        args: [join(checkout, `src/main-${main}.ts`)],
        cwd: folder,
        env: env[main],
        readyWhen,
        readyWithinMillis: 60_000,
        stopWithinMillis: 15_000,
      })
      const startMillis = performance.now() - begun
      const startCpuMillis = cpuMicros(child.pid) / 1000
      yield* Effect.sleep(IDLE_AFTER)
      const figures: Figures = {
        "ready, ms": startMillis,
        "CPU until then, ms": startCpuMillis,
        "memory when idle, MB": residentBytes(child.pid) / 1e6,
      }
      return figures
    }),
  )

const spread = (numbers: ReadonlyArray<number>) => {
  const sorted = numbers.toSorted((a, b) => a - b)
  const [min, median, max] = [0, 0.5, 1].map((q) => quantile(sorted, q).toFixed(0))
  return min === max ? median : `${median} (${min}–${max})`
}

const table = (title: string, runs: ReadonlyArray<ReadonlyArray<Figures>>) =>
  [
    `| ${[title, ...checkouts.map((_, index) => (index === 0 ? "this" : `other ${index}`))].join(" | ")} |`,
    `| --- |${" ---: |".repeat(checkouts.length)}`,
    ...Object.keys(runs[0]?.[0] ?? {}).map(
      (name) =>
        `| ${[name, ...runs.map((figures) => spread(figures.map((one) => one[name] ?? Number.NaN)))].join(" | ")} |`,
    ),
    "",
  ].join("\n")

const program = Effect.gen(function* () {
  const prepared = yield* Effect.forEach(checkouts, (checkout) =>
    Effect.map(prepare, (engines) => ({ checkout, engines })),
  )
  for (const main of MAINS) {
    // The first start creates the database, and fills the caches of files.
    for (const { checkout, engines } of prepared) yield* startOnce(checkout, engines, main)
    const runs = prepared.map((): Array<Figures> => [])
    for (let round = 0; round < rounds; round++) {
      for (const [index, { checkout, engines }] of prepared.entries()) {
        const graph = yield* Effect.promise(() => loadGraph(checkout, main))
        runs[index]?.push({ ...graph, ...(yield* startOnce(checkout, engines, main)) })
      }
    }
    yield* Console.log(table(`main-${main.main}, median (minimum–maximum) of ${rounds}`, runs))
  }
})

process.setMaxListeners(30)
NodeRuntime.runMain(Effect.scoped(program))
