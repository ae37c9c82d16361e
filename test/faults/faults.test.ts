import { afterAll, assert, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type Fault, plan } from "./Plan.ts"
import { LOAD_MILLIS, type Result, run } from "./Run.ts"
import { REFUSALS } from "../support/engines/redisRefusals.ts"
import { startRedisPair } from "../support/engines/RedisPair.ts"
import { System } from "../support/system/System.ts"
import { row, table } from "./Table.ts"

/** How many seeds, and the first of them: FAULT_SEEDS and FAULT_FIRST, which `npm run test:faults` sets. */
const count = Number(process.env["FAULT_SEEDS"] ?? "2")
const first = Number(process.env["FAULT_FIRST"] ?? "1")
const seeds = Array.from({ length: count }, (_, index) => first + index)

const results: Array<Result> = []
afterAll(() => console.log(table(results)))

/** A long run may be cut short: each result is shown when it comes. */
const show = (result: Result) =>
  Effect.sync(() => {
    results.push(result)
    if (count > 2) process.stderr.write(`${row(result)}\n`)
  })

/** Every kind there is. */
const KINDS: Readonly<Record<Fault["kind"], true>> = {
  kill: true,
  restart: true,
  flush: true,
  network: true,
  failover: true,
  "redis refuses writes": true,
  "redis demoted": true,
  "row locked": true,
  snapshot: true,
  overload: true,
  backup: true,
}

it("meets every kind of fault in an odd seed and the one after it", () => {
  for (const seed of [1, 3, 5, 7, 9]) {
    const planned = [seed, seed + 1].flatMap((one) => plan(one, LOAD_MILLIS).map(({ fault }) => fault.kind))
    assert.sameMembers([...new Set(planned)], Object.keys(KINDS), `seeds ${seed} and ${seed + 1}`)
  }
})

it.live("makes a Redis that could not save the primary again, after it was a replica", () =>
  Effect.gen(function* () {
    const pair = yield* startRedisPair
    const original = pair.primary()
    yield* pair.withClient((client) => Effect.flatten(REFUSALS.MISCONF(client)))
    yield* pair.demote
    // A primary that comes back empty sends its replica everything, which that stores on its disk.
    yield* pair.primary().kill
    yield* pair.primary().start
    yield* pair.demote
    assert.strictEqual(pair.primary().port, original.port)
  }),
)

it.live("restarts a Redis empty that was a replica, and with its snapshot if asked to", () =>
  Effect.gen(function* () {
    const pair = yield* startRedisPair
    const read = pair.withClient((client) => Effect.promise(() => client.get("key")))
    yield* pair.withClient((client) => Effect.promise(() => client.set("key", "old")))
    yield* pair.demote
    for (const [start, expected] of [
      [pair.primary().reload, "old"],
      [pair.primary().start, null],
    ] as const) {
      yield* pair.primary().kill
      yield* start
      assert.strictEqual(yield* read, expected)
    }
  }),
)

layer(System.layer, { timeout: "90 seconds", excludeTestServices: true })("Faults", (it) => {
  it.effect.each(seeds)("counts every accepted increment once and shows it, seed %i", (seed) =>
    Effect.gen(function* () {
      const result = yield* run(seed)
      yield* show(result)
      assert.deepStrictEqual(result.findings, [], result.faults.join(", "))
    }),
  )
})
