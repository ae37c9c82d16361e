import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FakeCognito from "../../test/support/engines/FakeCognito.ts"
import { throughput } from "../cells/increments.ts"
import { compare, cpuMicros, type Figures, inTurns } from "../figures.ts"
import { playerAt, somebody } from "../players.ts"
import { incrementsOf } from "../requests.ts"
import { ours, start } from "../system.ts"
import type { Side, Sides } from "./sides.ts"

/** Players who take turns: as many as the API remembers tokens of, so that it checks no signature while measured. */
const PLAYERS = 10_000

/** As in the cell `128` of the bench beside Express. */
const CONNECTIONS = 128

const SECONDS = 5

/** Processor time so far of each server process that works for the system on one side, in microseconds. */
const databaseCpu = async (side: Side): Promise<ReadonlyMap<number, number>> => {
  const rows = await Effect.runPromise(side.sql<{ readonly pid: number }>`
select pid from pg_stat_activity where datname = current_database() and application_name like 'scoreboard %'`)
  return new Map(rows.map(({ pid }) => [pid, cpuMicros(pid)]))
}

/** Measures the whole system on both databases in turns: what an increment costs every process that works on it. */
export const systems = Effect.fnUntraced(function* (sides: Sides, rounds: number) {
  const identity = yield* FakeCognito.make
  const prepare = Effect.fnUntraced(function* (side: Side) {
    // Nobody sent these messages, and the outbox of the system would.
    yield* side.sql`truncate outbox`
    const players = Array.from({ length: PLAYERS }, (_, n) =>
      side.players <= PLAYERS ? playerAt(1 + (n % side.players)) : somebody(side.players),
    )
    const system = yield* start({
      implementation: { ...ours, name: side.name },
      databaseUrl: side.url,
      identity: identity.env,
      players: [],
      profiles: undefined,
    })
    const requests = incrementsOf(identity.env.COGNITO_ISSUER, players)
    return async (): Promise<Figures> => {
      const before = await databaseCpu(side)
      const figures = await throughput(system, CONNECTIONS, SECONDS, requests())
      // The server may have started a process meanwhile, because idle connections are closed.
      let spent = 0
      for (const [pid, cpu] of await databaseCpu(side)) spent += cpu - (before.get(pid) ?? 0)
      const database = spent / ((figures["increments/s"] ?? Number.NaN) * SECONDS)
      const all =
        database +
        (figures["API CPU µs per increment"] ?? Number.NaN) +
        (figures["worker CPU µs per increment"] ?? Number.NaN)
      return { ...figures, "database CPU µs per increment": database, "CPU µs per increment, all three": all }
    }
  })
  const [small, large] = [yield* prepare(sides[0]), yield* prepare(sides[1])]
  // The first runs check every token's signature and touch every page.
  for (const run of [small, large, small, large]) yield* Effect.promise(run)
  const results = yield* Effect.promise(() => inTurns(rounds, large, small))
  const name = `whole system, ${CONNECTIONS} connections, ${PLAYERS} players in turn`
  yield* Console.log(compare(name, [sides[1].name, sides[0].name], results))
})
