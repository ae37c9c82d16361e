import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { randomUUID } from "node:crypto"
import { parseArgs } from "node:util"
import { spawn } from "../test/support/engines/ChildProcess.ts"
import * as FakeCognito from "../test/support/engines/FakeCognito.ts"
import * as Postgres from "../test/support/engines/Postgres.ts"
import * as TcpProxy from "../test/support/engines/TcpProxy.ts"
import { freshness, readBoard } from "./cells/freshness.ts"
import { latency, throughput } from "./cells/increments.ts"
import { overload } from "./cells/overload.ts"
import { type Reader, reads } from "./cells/reads.ts"
import { incrementsOf } from "./requests.ts"
import { compare, cpuMicros, type Figures, inTurns } from "./figures.ts"
import { checkout, express, type Implementation, ours, type Player, start, type System } from "./system.ts"

/**
 * `npm run bench -- [names] [--seconds n] [--rounds n] [--rate n] [--against folder] [--profile folder]`: this system beside
 * the comparison in bench/express, or beside another checkout of itself, in turns, on engines of its own. See
 * docs/benchmarks.md.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: "string", default: "5" },
    rounds: { type: "string", default: "3" },
    rate: { type: "string", default: "300" },
    against: { type: "string" },
    profile: { type: "string" },
  },
})
const other = values.against === undefined ? express : checkout(values.against)
const seconds = Number(values.seconds)
const rounds = Number(values.rounds)

/** Players among whom increments are drawn in turn; one of them when there is one hot player. */
const PLAYERS = 1000

const CELLS = [
  "32",
  "128",
  "hot",
  "latency",
  "reads",
  "freshness",
  "freshness-idle",
  "freshness-2000",
] as const
type Cell = (typeof CELLS)[number]

const isCell = (name: string): name is Cell => CELLS.some((cell) => cell === name)
/** Takes minutes and is not compared with Express, so it runs only when it is named. */
const OVERLOAD = "overload"
/** Starts a dozen processes, so it runs only when it is named. */
const BOARDS = "boards"
const unknown = positionals.filter((name) => name !== OVERLOAD && name !== BOARDS && !isCell(name))
if (unknown.length > 0)
  throw new Error(
    `No such benchmark: ${unknown.join(" ")}. There are: ${CELLS.join(" ")} ${OVERLOAD} ${BOARDS}`,
  )
const chosen = positionals.length === 0 ? CELLS : positionals.filter(isCell)

const players = Array.from({ length: PLAYERS }, (_, n): Player => ({
  id: randomUUID(),
  email: `player${n}@example.com`,
}))

const scoresOf = async (system: System): Promise<ReadonlyMap<string, number>> =>
  new Map(
    readBoard(await (await fetch(`http://127.0.0.1:${system.port}/scores`)).text()).scores.map(
      ({ email, score }) => [email, score],
    ),
  )

// Every engine and server has a listener of its own there.
process.setMaxListeners(20)

const program = Effect.gen(function* () {
  const identity = yield* FakeCognito.make
  // Four APIs and two workers of two systems open up to 120 connections.
  const postgres = yield* Postgres.make({ settings: { max_connections: "150" } })
  const startOn = Effect.fnUntraced(function* (
    implementation: Implementation,
    processes?: { readonly apis: number; readonly workers: number },
  ) {
    const databaseUrl = yield* postgres.freshDatabase
    return yield* start({
      implementation,
      databaseUrl,
      identity: identity.env,
      players,
      profiles: values.profile,
      ...(processes === undefined ? {} : { processes }),
    })
  })
  const issuer = identity.env.COGNITO_ISSUER
  const ids = players.map(({ id }) => id)
  const everyone = incrementsOf(issuer, ids)
  const one = incrementsOf(issuer, ids.slice(0, 1))
  const ten = incrementsOf(issuer, ids.slice(0, 10))

  const compareOf =
    (first: System, second: System) => async (title: string, run: (system: System) => Promise<Figures>) =>
      console.log(
        compare(
          title,
          [first.name, second.name],
          await inTurns(
            rounds,
            () => run(first),
            () => run(second),
          ),
        ),
      )

  const fresh = async (system: System, clients: number, ratePerSecond: number) => {
    // The players that are watched have to be on the board, and their scores known.
    for (const port of system.ports) await throughput({ ...system, port }, 16, 2 / system.ports.length, ten())
    return freshness({
      system,
      clients,
      ratePerSecond,
      seconds,
      emails: players.slice(0, 10).map(({ email }) => email),
      before: await scoresOf(system),
      request: ten(),
    })
  }

  /** Through the hot paths: what is measured is compiled code. */
  const warmUp = async (system: System) => {
    for (const port of system.ports) await throughput({ ...system, port }, 32, 2, everyone())
  }

  /** Four APIs and two workers, as far apart as a cluster has them, at a low, a middle and a high rate. */
  const boards = Effect.gen(function* () {
    const processes = { apis: 4, workers: 2 }
    const first = yield* startOn(ours, processes)
    const second = yield* startOn(other, processes)
    for (const system of [first, second]) yield* Effect.promise(() => warmUp(system))
    for (const rate of [50, 300, 1000]) {
      yield* Effect.promise(() =>
        compareOf(first, second)(`${BOARDS}, ${rate} a second`, (system) => fresh(system, 20, rate)),
      )
    }
  })
  /** One system after the other, each behind a link to PostgreSQL that can be slow and stall. */
  const overloadOf = Effect.fnUntraced(function* (implementation: Implementation) {
    const direct = yield* postgres.freshDatabase
    const linked = new URL(Redacted.value(direct))
    const link = yield* TcpProxy.make(Number(linked.port))
    linked.port = String(link.port)
    const system = yield* start({
      implementation,
      databaseUrl: Redacted.make(linked.href),
      identity: identity.env,
      players,
      profiles: values.profile,
    })
    const [lockedPlayer = "", ...others] = players.map(({ id }) => id)
    const lockedOne = incrementsOf(identity.env.COGNITO_ISSUER, [lockedPlayer])
    // A player without a score has no row to lock.
    yield* Effect.promise(() => warmUp(system))
    console.log(
      yield* overload({
        system,
        link,
        directUrl: Redacted.value(direct),
        everyone: incrementsOf(identity.env.COGNITO_ISSUER, others),
        lockedPlayer,
        lockedOne,
      }),
    )
  })
  if (positionals.includes(OVERLOAD)) {
    yield* Effect.scoped(overloadOf(ours))
    if (values.against !== undefined) yield* Effect.scoped(overloadOf(checkout(values.against)))
  }
  if (positionals.includes(BOARDS)) yield* Effect.scoped(boards)
  if (chosen.length === 0) return
  const first = yield* startOn(ours)
  const second = yield* startOn(other)
  const compareBoth = compareOf(first, second)

  const readers = Effect.gen(function* () {
    const server = Effect.fnUntraced(function* (name: string, env: Readonly<Record<string, string>>) {
      const child = yield* spawn({
        command: process.execPath,
        args: [`${import.meta.dirname}/servers/${name}.ts`],
        env: { PATH: process.env["PATH"], NODE_ENV: "production", ...env },
        readyWhen: /listening on (\d+)/,
      })
      const reader: Reader = { name, port: Number(child.ready[1]), cpu: () => cpuMicros(child.pid) }
      return reader
    })
    const board = yield* Effect.promise(async () =>
      (await fetch(`http://127.0.0.1:${first.port}/scores`)).text(),
    )
    return [
      { name: first.name, port: first.port, cpu: () => first.cpu().api },
      { name: second.name, port: second.port, cpu: () => second.cpu().api },
      yield* server("fastify", { REDIS_URL: first.redisUrl }),
      yield* server("bare", { BOARD: board }),
      yield* server("least", { BOARD: board, REDIS_URL: first.redisUrl }),
    ] satisfies ReadonlyArray<Reader>
  })

  const compareReads = async (all: ReadonlyArray<Reader>) => {
    const results = new Map(all.map(({ name }): [string, Array<Figures>] => [name, []]))
    for (let round = 0; round < rounds; round++) {
      for (const reader of round % 2 === 0 ? all : all.toReversed()) {
        results.get(reader.name)?.push(await reads(reader, seconds))
      }
    }
    const mine = results.get(first.name) ?? []
    for (const { name } of all.slice(1)) {
      const theirs = results.get(name) ?? []
      console.log(
        compare(
          "reads",
          [first.name, name],
          mine.map((figures, round) => [figures, theirs[round] ?? {}] as const),
        ),
      )
    }
  }

  const runCell: Record<Cell, Effect.Effect<void, unknown>> = {
    "32": Effect.promise(() => compareBoth("32", (system) => throughput(system, 32, seconds, everyone()))),
    "128": Effect.promise(() => compareBoth("128", (system) => throughput(system, 128, seconds, everyone()))),
    hot: Effect.promise(() => compareBoth("hot", (system) => throughput(system, 128, seconds, one()))),
    latency: Effect.promise(() =>
      compareBoth("latency", (system) => latency(system, 200, seconds, everyone())),
    ),
    reads: Effect.scoped(Effect.flatMap(readers, (all) => Effect.promise(() => compareReads(all)))),
    freshness: Effect.promise(() => compareBoth("freshness", (system) => fresh(system, 20, 50))),
    "freshness-idle": Effect.promise(() => compareBoth("freshness-idle", (system) => fresh(system, 20, 2))),
    "freshness-2000": Effect.promise(() =>
      compareBoth("freshness-2000", (system) => fresh(system, 2000, Number(values.rate))),
    ),
  }

  for (const system of [first, second]) yield* Effect.promise(() => warmUp(system))
  for (const cell of chosen) yield* runCell[cell]
})

program.pipe(Effect.scoped, NodeRuntime.runMain())
