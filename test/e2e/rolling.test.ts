import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { hopCounts, points, startLoad, startSystem, type Watched, watchBoard } from "./liveSystem.ts"

const CLIENTS = 200

/** What a client may be without a live socket: its own first wait is up to 1 s. */
const GAP_LIMIT_MILLIS = 2_000

/** A socket that lived this long counts as stable for the client, which then waits its shortest time. */
const STABLE_MILLIS = 5_000

/** Every step of a board's way, on whatever process it is measured. */
const HOPS = ["commit-queue", "commit-worker", "worker-redis", "redis-hub", "hub-sockets", "commit-sockets"]

const pause = (millis: number) => Effect.promise(() => new Promise<void>((done) => setTimeout(done, millis)))

const until = (what: string, isSo: () => boolean, limitMillis = 15_000) =>
  Effect.gen(function* () {
    const limit = performance.now() + limitMillis
    while (!isSo()) {
      if (performance.now() > limit)
        return yield* Effect.die(new Error(`not within ${limitMillis} ms: ${what}`))
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

/** The largest part of some times that falls into one 50 ms. */
const largestShare = (times: ReadonlyArray<number>) => {
  const buckets = Map.groupBy(times, (time) => Math.floor(time / 50))
  return Math.max(...[...buckets.values()].map((bucket) => bucket.length)) / times.length
}

it.live("restarts one API process after the other: no request fails, every client is back within 2 s", () =>
  Effect.gen(function* () {
    const { balancer, startApi, token } = yield* startSystem
    const running = yield* Effect.all([startApi, startApi], { concurrency: 2 })
    yield* until("both are ready", () => balancer.ready() === 2)
    const clients = yield* openClients(balancer.url)
    yield* allLive(clients)
    const load = startLoad(
      balancer.url,
      ["ada", "bob", "cyd", "dan"].map((name) => token(`${name}@example.com`)),
    )
    yield* Effect.addFinalizer(() => Effect.promise(load.stop))

    for (const { child, backend } of running) {
      yield* pause(STABLE_MILLIS)
      const dials = clients.map(({ dialledAt }) => dialledAt.length)
      yield* child.signal("SIGTERM")
      assert.strictEqual(yield* Effect.timeout(child.exit, "12 seconds"), 0)
      yield* balancer.remove(backend)
      yield* allLive(clients)
      const moved = clients.filter(({ dialledAt }, n) => dialledAt.length > (dials[n] ?? 0))
      const back = moved.map(({ dialledAt }, n) => dialledAt[dials[n] ?? 0] ?? 0)
      assert.isAtLeast(moved.length, CLIENTS / 4)
      assert.isBelow(largestShare(back), 0.35)
      yield* startApi
      yield* until("both are ready", () => balancer.ready() === 2)
    }
    yield* Effect.promise(load.stop)

    assert.deepStrictEqual(load.failures, [])
    assert.isAbove(load.answered(), 500)
    for (const { gaps, falls } of clients) {
      assert.deepStrictEqual(falls, [])
      for (const gap of gaps) assert.isBelow(gap, GAP_LIMIT_MILLIS)
    }
    yield* until("every client shows every point", () =>
      clients.every((client) => points(client) === load.counted()),
    )
  }).pipe(Effect.scoped),
)

it.live("shows PostgreSQL's board within 1 s of the return of a Redis that lost everything", () =>
  Effect.gen(function* () {
    const { balancer, redis, startApi, token, workerManagementPort } = yield* startSystem
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

    yield* redis.kill
    yield* pause(1_500)
    const during = load.counted()
    yield* redis.start
    const committed = load.counted()
    yield* until(
      "every client shows what was committed when Redis came back",
      () => clients.every((client) => points(client) >= committed),
      1_000,
    )
    yield* pause(500)
    yield* Effect.promise(load.stop)

    assert.isAbove(during, 20)
    assert.deepStrictEqual(load.failures, [])
    for (const { gaps, falls } of clients) {
      assert.deepStrictEqual(falls, [])
      assert.deepStrictEqual(gaps, [])
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
