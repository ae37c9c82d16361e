import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Reactivity from "effect/reactivity/Reactivity"
import { spawn } from "node:child_process"
import { createWriteStream } from "node:fs"
import { once } from "node:events"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { temporaryFolder } from "../test/support/fixtures.ts"
import { quantile } from "./figures.ts"
import { startGenerated } from "./generated.ts"
import { openLoop } from "./http.ts"
import { somebody } from "./players.ts"
import { incrementsOf } from "./requests.ts"

/**
 * `node bench/import.ts [--players n] [--highest score] [--beside n] [--rate n] [--parts n] [--seconds n]`: how long an
 * import takes beside increments, and what it costs them. The players are imported in parts; before each part the same
 * increments run alone for some seconds. For the bar: `--players 1000000`. Linux.
 */
const { values } = parseArgs({
  options: {
    players: { type: "string", default: "20000" },
    highest: { type: "string", default: "1000000000" },
    beside: { type: "string", default: "100000" },
    rate: { type: "string", default: "100" },
    parts: { type: "string", default: "5" },
    seconds: { type: "string", default: "30" },
  },
})
const players = Number(values.players)
const parts = Number(values.parts)
const seconds = Number(values.seconds)
const rate = Number(values.rate)

/** Different players who press. */
const PRESSING = 2_000

/** Until what is measured is compiled code. */
const WARM_UP_SECONDS = 10

/** The increments beside an import are asked for in pieces of this length, until the import ends. */
const PIECE_SECONDS = 5

const MAIN = join(import.meta.dirname, "../src/main-admin.ts")

/** Writes one part of the players, with scores drawn evenly. */
const writePart = async (path: string, from: number, to: number) => {
  const file = createWriteStream(path)
  file.write("id,email,score,reachedAt\n")
  for (let n = from; n < to; n++) {
    const score = 1 + Math.floor(Math.random() * Number(values.highest))
    const reachedAt = new Date(1_700_000_000_000 + Math.floor(Math.random() * 60_000_000_000)).toISOString()
    const line = `${crypto.randomUUID()},player-${n}@example.com,${score},${reachedAt}\n`
    if (!file.write(line)) await once(file, "drain")
  }
  file.end()
  await once(file, "finish")
}

/** Runs an operator's command to its end; fails unless it ends with 0. */
const admin = async (databaseUrl: string, ...args: ReadonlyArray<string>) => {
  const env = { DATABASE_URL: databaseUrl }
  const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: ["ignore", "pipe", "inherit"] })
  let out = ""
  child.stdout.on("data", (data) => (out += String(data)))
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve))
  if (code !== 0) throw new Error(`admin ${args.join(" ")} ended with ${code}: ${out}`)
  return out.trim()
}

const told = (name: string, millis: ReadonlyArray<number>, failed: number) => {
  const sorted = millis.toSorted((a, b) => a - b)
  const [p50, p99] = [quantile(sorted, 0.5), quantile(sorted, 0.99)]
  const most = sorted.at(-1) ?? Number.NaN
  console.log(
    `${name}: p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms, most ${most.toFixed(1)} ms (${sorted.length}, failed ${failed})`,
  )
  return p99
}

const program = Effect.gen(function* () {
  const folder = yield* temporaryFolder
  const files = Array.from({ length: parts }, (_, part) => join(folder, `part-${part}.csv`))
  for (const [part, path] of files.entries()) {
    const edge = (n: number) => Math.floor((players * n) / parts)
    yield* Effect.promise(() => writePart(path, edge(part), edge(part + 1)))
  }
  const { identity, postgres, system } = yield* startGenerated(Number(values.beside))
  const sql = yield* PgClient.make({ url: postgres.url, maxConnections: 1 })
  const increments = incrementsOf(
    identity.env.COGNITO_ISSUER,
    Array.from({ length: PRESSING }, () => somebody(Number(values.beside))),
  )
  const press = (forSeconds: number) =>
    openLoop({ ports: [system.port], ratePerSecond: rate, seconds: forSeconds, request: increments() })

  /** Presses until something has ended. */
  const pressDuring = async (work: Promise<unknown>) => {
    const state = { isOver: false }
    const over = work.finally(() => (state.isOver = true))
    const latencyMillis: Array<number> = []
    let failed = 0
    while (!state.isOver) {
      const load = await press(PIECE_SECONDS)
      latencyMillis.push(...load.latencyMillis)
      failed += load.failed
    }
    await over
    return { latencyMillis, failed }
  }

  yield* Effect.promise(() => press(WARM_UP_SECONDS))
  const url = Redacted.value(postgres.url)
  const ratios: Array<number> = []
  let importSeconds = 0
  for (const [part, path] of files.entries()) {
    const alone = yield* Effect.promise(() => press(seconds))
    const before = told(`part ${part + 1}, increments alone`, alone.latencyMillis, alone.failed)
    const began = performance.now()
    const importing = admin(url, "import", path, "--verified").then((summary) => {
      importSeconds += (performance.now() - began) / 1000
      console.log(summary)
    })
    const beside = yield* Effect.promise(() => pressDuring(importing))
    ratios.push(told(`part ${part + 1}, beside the import`, beside.latencyMillis, beside.failed) / before)
  }
  const sorted = ratios.toSorted((a, b) => a - b)
  const middle = quantile(sorted, 0.5)
  console.log(
    `p99 beside ÷ alone: ${middle.toFixed(2)} (${sorted.map((ratio) => ratio.toFixed(2)).join(", ")})`,
  )
  console.log(
    `${players} players in ${importSeconds.toFixed(0)} s, ${(players / importSeconds).toFixed(0)} a second`,
  )
  const [right] = yield* sql<{ readonly players: number; readonly wrong: number }>`
select count(*)::int as players, count(*) filter (where s.score <> e.total)::int as wrong from (
  select user_id, sum(coalesce(points, amount)) as total from score_events
  group by user_id having bool_or(kind = 'imported')) e join scores s using (user_id)`
  console.log(`imported players: ${right?.players}, of whom wrong: ${right?.wrong}`)
  console.log(yield* Effect.promise(() => admin(url, "ranks", "verify")))
})

program.pipe(Effect.scoped, Effect.provide(Reactivity.layer), NodeRuntime.runMain())
