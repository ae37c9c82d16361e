import { assert, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { ROOT } from "../support/engines/embeddedPostgres.ts"
import { temporaryFolder, until } from "../support/fixtures.ts"
import * as Truth from "../support/invariants/Truth.ts"
import { releases } from "../support/releases.ts"
import { watchStalls } from "../support/stalls.ts"
import { watch } from "../support/system/Watcher.ts"
import { checkOut } from "./checkOut.ts"
import { agreeOnEnds, agreeOnRanks, changeMuch } from "./upgradeAgreement.ts"
import { allShare, drained, type Engines, makeUpgradeEngines, type Member } from "./upgradeFixtures.ts"
import { startUpgradeLoad } from "./upgradeLoad.ts"
import { openTab } from "./upgradeTabs.ts"

const PLAYERS = ["ada", "bob", "cyd", "dan", "eva", "fay"]
const VIEWERS = 8

/** How long the board may take to be the same everywhere when nobody presses any more. */
const SHOWN_WITHIN = "60 seconds"

const newest = releases().at(-1)
if (newest === undefined) throw new Error("releases.json names no release")

/** A board under load and watched, whose processes change; what happened to whom, and how long each step took. */
const underLoad = Effect.fnUntraced(function* (engines: Engines, old: string) {
  const { balancer, player, postgres, sqs } = engines
  const viewers = yield* Effect.forEach(Array.from({ length: VIEWERS }), (_, n) =>
    watch(`viewer ${n}`, balancer.url),
  )
  // Pages that are open during an upgrade, and during a rollback.
  const tabs = [
    yield* openTab("a page of the release", old, balancer.url),
    yield* openTab("a page of the present code", ROOT, balancer.url),
  ]
  const load = startUpgradeLoad(balancer.url, PLAYERS.map(player), yield* watchStalls)
  yield* Effect.addFinalizer(() => Effect.promise(load.stop))

  const steps: Array<string> = []
  const sum = (count: (viewer: (typeof viewers)[number]) => number) =>
    viewers.reduce((total, viewer) => total + count(viewer), 0)
  const told = () =>
    [
      ...steps,
      `${load.requests()} requests, ${load.failures.length} failed, ${load.stalled()} sent again because the machine stood still, the slowest took ${Math.round(load.slowestMillis())} ms`,
      `${load.accepted.size} increments were answered 200, and ${load.repeats()} of them were sent twice`,
      `${VIEWERS} viewers got ${sum((viewer) => viewer.frames())} boards on ${sum((viewer) => viewer.connections())} connections, ` +
        `dropped ${sum((viewer) => viewer.dropped())} after a reconnect, and saw ${sum(({ findings }) => findings.length)} go back`,
    ].join("\n")

  /** Runs a step, and says how long it took and what happened to the clients meanwhile. */
  const step = <A, E, R>(name: string, doing: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      const [counted, failed] = [load.accepted.size, load.failures.length]
      const [duration, result] = yield* Effect.timed(doing).pipe(
        Effect.onError(() =>
          Effect.sync(() => console.log(`${told()}\n${name}: failed`, load.failures.slice(0, 5))),
        ),
      )
      const seconds = (Duration.toMillis(duration) / 1000).toFixed(1)
      const failures = load.failures.length - failed
      steps.push(`${name}: ${seconds} s, ${load.accepted.size - counted} increments, ${failures} failures`)
      return result
    })

  /** Ends the load: nothing failed, was lost, was counted twice or went backwards. */
  const conclude = Effect.gen(function* () {
    yield* Effect.promise(load.stop)
    console.log(told())
    assert.deepStrictEqual(load.failures, [])
    assert.strictEqual(yield* drained(sqs), 0)
    const board = JSON.stringify(yield* Truth.top(postgres.url))
    yield* until(
      "every viewer has the board of the database",
      Effect.sync(() => [...viewers, ...tabs].map(({ newest: shown }) => JSON.stringify(shown()))),
      (shown) => shown.every((one) => one === board),
      SHOWN_WITHIN,
    )
    assert.deepStrictEqual(yield* Truth.reconcile(postgres.url, load.accepted), [])
    assert.deepStrictEqual(yield* Truth.broken(postgres.url), [])
    const fallen = [...viewers.map(({ findings }) => findings), ...tabs.map(({ falls }) => falls)].flat()
    assert.deepStrictEqual(fallen, [])
    assert.deepStrictEqual(engines.complaints, [])
  })
  return { load, step, conclude }
})

/** An API and a worker. */
const startPair = ({ start }: Engines, folder: string) =>
  Effect.all([start(folder, "api"), start(folder, "worker")], { concurrency: 2 })

/** Applies what the present code's schema has more, with the operator's command; there has to be something. */
const migrate = Effect.fnUntraced(function* ({ admin }: Engines) {
  assert.strictEqual((yield* admin(ROOT, "migrate", "status")).code, 1)
  const { code, output } = yield* admin(ROOT, "migrate")
  assert.strictEqual(code, 0, output)
  assert.strictEqual((yield* admin(ROOT, "migrate", "status")).code, 0)
})

/** How processes come and go under load: each that runs has its share before the next step. */
const makeMoves = (engines: Engines) => ({
  enter: Effect.fnUntraced(function* (folder: string, running: ReadonlyArray<Member>) {
    const joined = yield* startPair(engines, folder)
    yield* allShare([...running, ...joined])
    return joined
  }),
  leave: Effect.fnUntraced(function* (leaving: ReadonlyArray<Member>, staying: ReadonlyArray<Member>) {
    for (const member of leaving) yield* engines.leave(member)
    yield* allShare(staying)
  }),
})

it.live(`runs ${newest.version} and the present code side by side, there and back: no request fails`, () =>
  Effect.gen(function* () {
    const [old, engines] = yield* Effect.all([checkOut(newest), makeUpgradeEngines], { concurrency: 2 })
    const first = yield* startPair(engines, old)
    const { load, step, conclude } = yield* underLoad(engines, old)
    const { enter, leave } = makeMoves(engines)

    yield* step(newest.version, allShare(first))
    yield* step("migrate", migrate(engines))
    yield* step(`${newest.version} on the new schema`, allShare(first))
    const next = yield* step("the present code joins", enter(ROOT, first))
    yield* step(`${newest.version} leaves`, leave(first, next))
    const again = yield* step(`${newest.version} comes back`, enter(old, next))
    yield* step("the present code leaves", leave(next, again))
    const last = yield* step("the present code joins again", enter(ROOT, again))
    yield* conclude
    const sides = [
      { folder: old, api: again[0] },
      { folder: ROOT, api: last[0] },
    ] as const
    const players = new Set(load.accepted.values())
    yield* agreeOnRanks(engines, sides, players)
    const [changed, ...others] = players
    yield* agreeOnEnds(engines, sides, others)
    if (changed !== undefined) yield* changeMuch(engines, sides, changed)
  }).pipe(Effect.scoped),
)

it.live(`counts on while a start of the present code migrates the schema of ${newest.version}`, () =>
  Effect.gen(function* () {
    const [old, engines] = yield* Effect.all([checkOut(newest), makeUpgradeEngines], { concurrency: 2 })
    const first = yield* startPair(engines, old)
    const { step, conclude } = yield* underLoad(engines, old)
    const { enter, leave } = makeMoves(engines)

    yield* step(newest.version, allShare(first))
    const next = yield* step("the present code migrates and joins", enter(ROOT, first))
    yield* step(`${newest.version} leaves`, leave(first, next))
    yield* conclude
  }).pipe(Effect.scoped),
)

it.live(
  "names the command that fetches a release which the clone does not have, and refuses a wrong commit",
  () =>
    Effect.gen(function* () {
      const folder = join(yield* temporaryFolder, "clone")
      const clone = ["clone", "--quiet", "--depth=1", "--no-checkout", `file://${ROOT}`, folder]
      yield* Effect.promise(() => promisify(execFile)("git", clone))
      const ofShallow = yield* Effect.flip(checkOut(newest, folder))
      assert.match(ofShallow.message, /does not have release .*: git fetch --unshallow$/)
      const unknown = { version: "9.9.9", commit: "9".repeat(40) }
      const ofWhole = yield* Effect.flip(checkOut(unknown))
      const command = new RegExp(`release 9.9.9, .*: git fetch (?:--unshallow|origin ${unknown.commit})$`)
      assert.match(ofWhole.message, command)
      const wrong = yield* Effect.flip(checkOut({ ...newest, version: "9.9.9" }))
      assert.include(wrong.message, `its commit is of version ${newest.version}`)
    }).pipe(Effect.scoped),
)
