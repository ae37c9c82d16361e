import { statfs, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { parseArgs } from "node:util"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Postgres from "../test/support/engines/Postgres.ts"
import { everyTenMillis, forSeconds, SERVER } from "./players.ts"
import { board, increments, topOf } from "./size/board.ts"
import { commits } from "./size/commits.ts"
import { growth } from "./size/growth.ts"
import { planPage, plans } from "./size/plans.ts"
import { systems } from "./size/system.ts"
import { makeSide, type Side, type Sides } from "./size/sides.ts"

/** Tables, indexes and history of one player, with reserve: about 500 bytes were measured. */
const BYTES_PER_PLAYER = 1000

/** The write-ahead log at its largest, and what the rounds add. */
const BYTES_BESIDE = 12_000_000_000

const enoughDisk = Effect.fnUntraced(function* (players: number) {
  const disk = yield* Effect.promise(() => statfs(tmpdir()))
  const needed = players * BYTES_PER_PLAYER + BYTES_BESIDE
  if (disk.bavail * disk.bsize < needed) {
    return yield* Effect.die(new Error(`${tmpdir()} needs ${Math.ceil(needed / 1e9)} GB free`))
  }
})

/** The plans of one side while increments run on it. */
const underLoad = (side: Side) =>
  Effect.gen(function* () {
    const increment = increments(side, yield* topOf(side))
    let done = false
    const explained = Effect.ensuring(
      plans(side),
      Effect.sync(() => {
        done = true
      }),
    )
    const limit = forSeconds(60)
    const [found] = yield* Effect.all(
      [
        Effect.andThen(Effect.sleep("5 seconds"), explained),
        everyTenMillis(increment, () => done || limit()),
      ],
      { concurrency: 2 },
    )
    return found
  })

/**
 * Compares the hot statements among many players with the same statements among few: on two databases of one cluster, in
 * turns, in a temporary folder that is deleted afterwards. `--small` (10 thousand) and `--large` (10 million) are the
 * players of each, `--active` (100 thousand) those of them who commit, `--rounds` (7). `--minute` also updates each side
 * for a minute, `--plans <file>` also writes the plans, `--set name=value` is a setting of the server. `--system` measures
 * the whole system on both sides instead. Ten million players take about 10 minutes and 22 GB. Linux.
 */
export const main = (args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { values } = parseArgs({
      args: [...args],
      options: {
        small: { type: "string", default: "10000" },
        large: { type: "string", default: "10000000" },
        active: { type: "string", default: "100000" },
        rounds: { type: "string", default: "7" },
        minute: { type: "boolean", default: false },
        system: { type: "boolean", default: false },
        plans: { type: "string" },
        set: { type: "string", multiple: true, default: [] },
      },
    })
    const rounds = Number(values.rounds)
    const active = Number(values.active)
    yield* enoughDisk(Number(values.small) + Number(values.large))
    const engine = yield* Postgres.make({
      // Only the bench asks for checkpoints: any other would favour the side that is measured first after it.
      settings: {
        ...SERVER,
        checkpoint_timeout: "1h",
        ...Object.fromEntries(
          values.set.map((setting): [string, string] => [
            setting.split("=", 1).join(),
            setting.slice(setting.indexOf("=") + 1),
          ]),
        ),
      },
    })
    const sides: Sides = [
      yield* makeSide("small", yield* engine.freshDatabase, Number(values.small)),
      yield* makeSide("large", yield* engine.freshDatabase, Number(values.large)),
    ]
    const named = (side: Side, state: string) => `${side.players} players, ${state}`

    if (values.system) return yield* systems(sides, rounds)
    const idle = []
    if (values.plans !== undefined) {
      for (const side of sides) idle.push({ name: named(side, "idle"), plans: yield* plans(side) })
    }
    yield* sides[0].sql`checkpoint`
    yield* Console.log(
      "\n| min – median – max of the rounds | small | large | large ÷ small |\n| --- | --- | --- | --- |",
    )
    yield* board(sides, rounds)
    yield* commits(sides, { rounds, active })
    if (values.minute) {
      for (const side of sides) yield* growth(side, Math.min(active, side.players))
    }
    if (values.plans !== undefined) {
      const loaded = []
      for (const side of sides)
        loaded.push({ name: named(side, "under 1,000 increments/s"), plans: yield* underLoad(side) })
      const page = planPage([...idle, ...loaded])
      const file = values.plans
      yield* Effect.promise(() => writeFile(file, page))
    }
  }).pipe(Effect.scoped, Effect.provide(Reactivity.layer))

if (import.meta.main) NodeRuntime.runMain(main(process.argv.slice(2)))
