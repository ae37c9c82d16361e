import { performance } from "node:perf_hooks"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type { UserId } from "../../src/domain/Score.ts"
import { commitIncrements } from "../../src/services/Sql/SqlCommit.ts"
import { batchOf, playerAt, somebody } from "../players.ts"
import { cpuOf } from "../ranksStatistics.ts"
import { compared, type Side, type Sides } from "./sides.ts"

/** One increment alone, a typical batch under load, and the largest. */
const BATCHES = [1, 32, 100]

/** How long one side commits in one round. */
const SECONDS = 0.6

interface Cost {
  readonly micros: number
  readonly cpuMicros: number
  readonly walBytes: number
}

const walOf = Effect.fnUntraced(function* (side: Side) {
  const [row] = yield* side.sql<{ readonly bytes: number }>`
select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8 as bytes`
  return row?.bytes ?? Number.NaN
})

/** What one increment costs: time and CPU of the connection's server process in µs, write-ahead log in bytes. */
const costOf = Effect.fnUntraced(function* (
  side: Side,
  size: number,
  who: () => UserId,
  over: (increments: number, millis: number) => boolean,
) {
  // Asked each time, because the pool replaces a connection that was idle for a minute.
  const [server] = yield* side.commits<{ readonly pid: number }>`select pg_backend_pid() as pid`
  const pid = server?.pid ?? 0
  const wal = yield* walOf(side)
  const cpu = cpuOf(pid)
  const begun = performance.now()
  let increments = 0
  while (!over(increments, performance.now() - begun)) {
    yield* commitIncrements(side.commits, batchOf(size, who))
    increments += size
  }
  const cost: Cost = {
    micros: ((performance.now() - begun) * 1000) / increments,
    cpuMicros: ((cpuOf(pid) - cpu) * 1000) / increments,
    walBytes: ((yield* walOf(side)) - wal) / increments,
  }
  return cost
})

const tell = Effect.fnUntraced(function* (what: string, costs: readonly [Array<Cost>, Array<Cost>]) {
  const row = (name: string, digits: number, of: (cost: Cost) => number) =>
    Console.log(`| ${what}, ${name} | ${compared(costs[0].map(of), costs[1].map(of), digits)} |`)
  yield* row("µs", 0, (cost) => cost.micros)
  yield* row("server CPU µs", 0, (cost) => cost.cpuMicros)
  yield* row("WAL bytes", 0, (cost) => cost.walBytes)
})

/** The players of a list in turn, from the start again after the last. */
const inTurn = (players: ReadonlyArray<UserId>) => {
  let next = 0
  return () => {
    const player = players[next++ % players.length]
    if (player === undefined) throw new Error("No players")
    return player
  }
}

/**
 * Measures increments on both sides in turns: one line of a table per kind of player, size of batch and figure. The
 * first touch of every player after a checkpoint is reported apart: it reads pages from the disk and logs each one whole.
 */
export const commits = Effect.fnUntraced(function* (
  sides: Sides,
  options: { readonly rounds: number; readonly active: number },
) {
  const few = Math.min(...sides.map((side) => side.players))
  const drawn = (side: Side, count: number) =>
    Array.from({ length: Math.min(count, side.players) }, (_, index) =>
      side.players <= count ? playerAt(index + 1) : somebody(side.players),
    )
  const both = (who: (side: Side) => () => UserId) => [who(sides[0]), who(sides[1])] as const
  const adjacent = Array.from({ length: few }, (_, index) => playerAt(index + 1))
  const kinds = [
    // Touches as many pages as the small side has: the depth of the larger indexes is the only difference.
    { name: `${few} adjacent players`, who: both(() => inTurn(adjacent)), first: few },
    { name: `${few} players`, who: both((side) => inTurn(drawn(side, few))), first: few },
    {
      name: `${options.active} players`,
      who: both((side) => inTurn(drawn(side, options.active))),
      first: options.active,
    },
    { name: "one player", who: both((side) => inTurn([somebody(side.players)])), first: 100 },
    { name: "all players", who: both((side) => () => somebody(side.players)), first: 0 },
  ]
  for (const { name, who, first } of kinds) {
    // Here nobody sends these messages; in the product their rows would be deleted.
    yield* Effect.forEach(sides, ({ sql }) => sql`truncate outbox`)
    yield* sides[0].sql`checkpoint`
    const turn = Effect.fnUntraced(function* (
      size: number,
      over: (increments: number, millis: number) => boolean,
    ) {
      return [
        yield* costOf(sides[0], size, who[0], over),
        yield* costOf(sides[1], size, who[1], over),
      ] as const
    })
    const touched = yield* turn(100, (increments) => increments >= first)
    if (first >= few) {
      yield* tell(`${name}, first touch after a checkpoint, batch 100`, [[touched[0]], [touched[1]]])
    }
    for (const size of BATCHES) {
      const costs: [Array<Cost>, Array<Cost>] = [[], []]
      for (let round = 0; round < options.rounds; round++) {
        const [small, large] = yield* turn(size, (_, millis) => millis >= SECONDS * 1000)
        costs[0].push(small)
        costs[1].push(large)
      }
      yield* tell(`${name}, batch ${size}`, costs)
    }
  }
})
