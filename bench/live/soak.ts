import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import type { Redis } from "ioredis"
import { loadavg } from "node:os"
import { parseArgs } from "node:util"
import { report } from "../checks.ts"
import { topScore } from "./board.ts"
import { startEngines, startServer } from "./engines.ts"
import { publish, readDuring } from "./load.ts"
import { enterPrivateNetwork } from "./network.ts"
import { pause, startViewers, type Viewers } from "./process.ts"
import { sample, type Sample } from "./sample.ts"
import { judge, minutesTable } from "./verdict.ts"
import { type Cut, keepWaves, type Kind, KINDS } from "./waves.ts"

/** Well-behaved viewers, viewers that never read (half of them send pongs all the same), and viewers that vanish. */
const OF_EACH = 1000

const BOARDS_PER_SECOND = 4
const SAMPLE_EVERY_MILLIS = 5000
const READ_EVERY_MILLIS = 50

/**
 * `run` publishes for ever and asks the viewers given to `watch`, a second after each board, who does not have it;
 * `take` gives what was seen since it was last called.
 */
const publisher = (redis: Redis) => {
  let watched: Viewers | undefined
  let seen = { boards: 0, stale: 0, slowestMillis: 0, open: OF_EACH }
  const run = Effect.gen(function* () {
    const published: Array<{ readonly version: number; readonly at: number }> = []
    for (let version = 1; ; version++) {
      const next = performance.now() + 1000 / BOARDS_PER_SECOND
      published.push({ version, at: yield* Effect.promise(() => publish(redis, version)) })
      const due = published.length > BOARDS_PER_SECOND ? published.shift() : undefined
      const viewers = watched
      if (due !== undefined && viewers !== undefined) {
        const { open, behind, lastAt } = yield* Effect.promise(() => viewers.behind(topScore(due.version)))
        seen.boards++
        seen.stale += behind
        seen.open = Math.min(seen.open, open)
        if (lastAt !== undefined) seen.slowestMillis = Math.max(seen.slowestMillis, lastAt - due.at)
      }
      yield* Effect.sleep(Math.max(0, next - performance.now()))
    }
  })
  const take = () => {
    const taken = seen
    seen = { boards: 0, stale: 0, slowestMillis: 0, open: OF_EACH }
    return taken
  }
  const watch = (viewers: Viewers) => {
    watched = viewers
  }
  return { run, watch, take }
}

/**
 * Viewers who misbehave, for a long time, beside well-behaved ones: what do they cost? Prints a table by minute and a
 * verdict; the exit code is 1 when it is bad. Linux only: reads /proc.
 */
export const soak = Effect.fnUntraced(function* (options: {
  readonly minutes: number
  /** Whether this process is alone in its network. */
  readonly isPrivate: boolean
}) {
  const { minutes, isPrivate } = options
  if (!isPrivate)
    yield* Effect.sync(() =>
      console.log(
        "Without root, unshare, nsenter and ip: who vanishes is a stopped process, whose kernel still acknowledges.",
      ),
    )
  const { redis, env } = yield* startEngines
  const server = yield* startServer({
    entry: "src/main-api.ts",
    env: { ...env, HOST: isPrivate ? "0.0.0.0" : "127.0.0.1", MANAGEMENT_PORT: "0" },
  })
  const { port } = server
  const managed = server
    .lines()
    .flatMap((line) => /metrics are served.*?"port":"?(\d+)/.exec(line)?.[1] ?? [])
  const managementPort = Number(managed[0])

  const { run, watch, take } = publisher(redis)

  const samples: Array<Sample> = []
  const sampling = Effect.promise(async () => {
    const started = performance.now()
    const elapsed = () => (performance.now() - started) / 60_000
    while (elapsed() < minutes) {
      const reads = await readDuring(port, pause(SAMPLE_EVERY_MILLIS), READ_EVERY_MILLIS)
      const seen = await sample(server, port, managementPort)
      samples.push({ ...seen, ...take(), minutes: elapsed(), reads })
    }
  })

  const cut = new Map<Kind, Cut>(KINDS.map((kind) => [kind, { viewers: 0, slowestSeconds: 0 }]))
  const waves = Effect.forEach(
    cut,
    ([kind, its]) =>
      keepWaves({ kind, count: kind === "vanishes" ? OF_EACH : OF_EACH / 2, port, isPrivate, cut: its }),
    { concurrency: "unbounded" },
  )
  const whole = Effect.gen(function* () {
    const viewers = yield* startViewers
    yield* Effect.promise(() =>
      viewers.open({ port, protocol: "websocket", count: OF_EACH, from: ["127.0.0.1"] }),
    ).pipe(Effect.timeout("1 minute"))
    watch(viewers)
    // Waves have no end: what ends first is the sampling, or something that broke.
    yield* Effect.raceFirst(sampling, waves)
  })
  // Boards come from the beginning: the API starts with an empty one of its own, whenever it has read that.
  yield* Effect.raceFirst(whole, run)

  console.log(minutesTable(samples))
  console.log(
    `load average ${loadavg()
      .map((load) => load.toFixed(1))
      .join(" ")}`,
  )
  report(judge({ samples, warmUpMinutes: Math.min(2, minutes / 2), viewers: OF_EACH, cut }))
})

if (import.meta.main) {
  const { values } = parseArgs({ options: { minutes: { type: "string", default: "10" } } })
  const isPrivate = await enterPrivateNetwork()
  soak({ minutes: Number(values.minutes), isPrivate }).pipe(Effect.scoped, NodeRuntime.runMain())
}
