import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { hopCounts, points, startLoad, startSystem, type Watched, watchBoard } from "./rollingFixtures.ts"
import { watchStalls } from "../support/stalls.ts"

/** Viewers in this process; ROLLING_CLIENTS=2000 is the long form, which also prints when they came back. */
const CLIENTS = Number(process.env["ROLLING_CLIENTS"] ?? "200")

/** At most 4,000 boards a second in all: the balancer and every client live in this one process. */
const BROADCAST_INTERVAL = `${Math.max(50, CLIENTS / 4)} millis`

/** What a client may be without a live socket: its own first wait is up to 1 s. */
const GAP_LIMIT_MILLIS = 2_000

/** A socket that lived this long counts as stable for the client, which then waits its shortest time. */
const STABLE_MILLIS = 5_000

/** Every step of a board's way, on whatever process it is measured. */
const HOPS = ["commit-queue", "commit-worker", "worker-redis", "redis-hub", "hub-sockets", "commit-sockets"]

/** What never comes fails the test by then; how fast things have to come is asserted where it matters. */
const PATIENCE_MILLIS = 15_000

const pause = (millis: number) => Effect.promise(() => new Promise<void>((done) => setTimeout(done, millis)))

const until = (what: string, isSo: () => boolean) =>
  Effect.gen(function* () {
    const limit = performance.now() + PATIENCE_MILLIS
    while (!isSo()) {
      if (performance.now() > limit)
        return yield* Effect.die(new Error(`not within ${PATIENCE_MILLIS} ms: ${what}`))
      yield* pause(10)
    }
  })

const openClients = (url: string) =>
  Effect.acquireRelease(
    Effect.sync(() => Array.from({ length: CLIENTS }, () => watchBoard(url))),
    (clients) => Effect.sync(() => clients.forEach(({ client }) => client.close())),
  )

const allLive = (clients: ReadonlyArray<Watched>) =>
  until("every client is live", () => clients.every(({ client }) => client.view.state === "live"))

/** How many of some times fall into each `millis`, by when that begins. */
const histogram = (times: ReadonlyArray<number>, millis: number) =>
  [...Map.groupBy(times, (time) => Math.floor(time / millis) * millis)]
    .map(([from, { length }]): readonly [from: number, count: number] => [from, length])
    .toSorted(([a], [b]) => a - b)

/** The largest part of some times that falls into one 50 ms: 5 % when they are spread evenly over a second. */
const largestShare = (times: ReadonlyArray<number>) =>
  Math.max(...histogram(times, 50).map(([, count]) => count)) / times.length

it.live("restarts one API process after the other: no request fails, every client is back within 2 s", () =>
  Effect.gen(function* () {
    const { balancer, startApi, token } = yield* startSystem({ BROADCAST_INTERVAL })
    const running = yield* Effect.all([startApi, startApi], { concurrency: 2 })
    yield* until("both are ready", () => balancer.ready() === 2)
    const clients = yield* openClients(balancer.url)
    yield* allLive(clients)
    const load = startLoad(
      balancer.url,
      ["ada", "bob", "cyd", "dan"].map((name) => token(`${name}@example.com`)),
    )
    yield* Effect.addFinalizer(() => Effect.promise(load.stop))

    const stalls = yield* watchStalls
    for (const { child, backend } of running) {
      yield* pause(STABLE_MILLIS)
      const dials = clients.map(({ diallingAt }) => diallingAt.length)
      yield* child.signal("SIGTERM")
      assert.strictEqual(yield* Effect.timeout(child.exit, "12 seconds"), 0)
      yield* balancer.remove(backend)
      yield* allLive(clients)
      const back = clients.flatMap(({ diallingAt }, n) => diallingAt.slice(dials[n]).slice(0, 1))
      assert.isAtLeast(back.length, CLIENTS / 4)
      assert.isBelow(largestShare(back), 0.25)
      yield* startApi
      yield* until("both are ready", () => balancer.ready() === 2)
    }
    yield* Effect.promise(load.stop)

    const gaps = clients.flatMap((client) => client.gaps.map(({ from, to }) => stalls.running(from, to)))
    if (process.env["ROLLING_CLIENTS"] !== undefined) {
      const older = clients.reduce((sum, client) => sum + client.older(), 0)
      console.log(`${clients.length} clients, without a socket, from ms: how many`, histogram(gaps, 100))
      console.log(
        `${older} older first boards dropped; this process stood still for ${Math.round(stalls.longest())} ms at most`,
      )
    }
    assert.deepStrictEqual(load.failures, [])
    assert.isAbove(load.answered(), 500)
    for (const { falls, badFrames } of clients) {
      assert.deepStrictEqual(falls, [])
      assert.deepStrictEqual(badFrames, [])
    }
    assert.isBelow(Math.max(...gaps), GAP_LIMIT_MILLIS)
    yield* until("every client shows every point", () =>
      clients.every((client) => points(client) === load.counted()),
    )
  }).pipe(Effect.scoped),
)

it.live("shows PostgreSQL's board within 1 s of the return of a Redis that lost everything", () =>
  Effect.gen(function* () {
    const { balancer, redis, startApi, token, workerManagementPort } = yield* startSystem({
      BROADCAST_INTERVAL,
    })
    const [api] = yield* Effect.all([startApi, startApi], { concurrency: 2 })
    yield* until("both are ready", () => balancer.ready() === 2)
    const clients = yield* openClients(balancer.url)
    yield* allLive(clients)
    const load = startLoad(
      balancer.url,
      ["ada", "bob"].map((name) => token(`${name}@example.com`)),
    )
    yield* Effect.addFinalizer(() => Effect.promise(load.stop))
    yield* until("something is counted", () => load.counted() > 20)

    const stalls = yield* watchStalls
    yield* redis.kill
    yield* pause(1_500)
    const during = load.counted()
    yield* redis.start
    const committed = load.counted()
    const returnedAt = performance.now()
    yield* until("every client shows what was committed when Redis came back", () =>
      clients.every((client) => points(client) >= committed),
    )
    assert.isBelow(stalls.running(returnedAt, performance.now()), 1_000)
    yield* pause(500)
    yield* Effect.promise(load.stop)

    assert.isAbove(during, 20)
    assert.deepStrictEqual(load.failures, [])
    for (const { gaps, falls, badFrames } of clients) {
      assert.deepStrictEqual(falls, [])
      assert.deepStrictEqual(gaps, [])
      assert.deepStrictEqual(badFrames, [])
    }
    yield* until("every client shows every point", () =>
      clients.every((client) => points(client) === load.counted()),
    )

    const counts = [
      ...(yield* Effect.promise(() => hopCounts(api.backend.managementPort))),
      ...(yield* Effect.promise(() => hopCounts(workerManagementPort))),
    ]
    const measured = counts.flatMap(([hop, count]) => (count > 0 ? [hop] : []))
    for (const hop of HOPS) assert.include(measured, hop)
  }).pipe(Effect.scoped),
)
