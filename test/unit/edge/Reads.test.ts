import { assert, describe, it } from "@effect/vitest"
import { Reads } from "../../../edge/src/Reads.ts"
import { World } from "./readsFixtures.ts"

describe("Reads at the edge", () => {
  it("ask the origin once for all who ask meanwhile, and once a second", async () => {
    const world = new World()
    const first = await Promise.all(Array.from({ length: 50 }, () => world.read()))
    assert.deepStrictEqual([...new Set(first)], ["miss 200 /scores 1, 0 s"])
    await world.advance(999)
    assert.strictEqual(await world.read(), "hit 200 /scores 1, 0 s")
    await world.advance(1)
    const next = await Promise.all(Array.from({ length: 50 }, () => world.read()))
    assert.deepStrictEqual([...new Set(next)], ["stale 200 /scores 1, 1 s"])
    await world.advance(0)
    assert.strictEqual(await world.read(), "hit 200 /scores 2, 0 s")
    assert.strictEqual(world.asked, 2)
  })

  it("give nothing stale where the API allows no cache to", async () => {
    const world = new World()
    const page = world.question("/scores/page", { staleMillis: 0 })
    await world.read(page)
    await world.advance(1_000)
    assert.strictEqual(await world.read(page), "miss 200 /scores/page 2, 0 s")
  })

  it("wait for the origin when the last answer is old", async () => {
    const world = new World()
    await world.read()
    await world.advance(6_000)
    assert.strictEqual(await world.read(), "miss 200 /scores 2, 0 s")
  })

  it("give the last answer with its age for an hour while the origin is unavailable, and ask twice a second", async () => {
    const world = new World()
    await world.read()
    world.status = undefined
    for (let n = 1; n <= 600; n++) {
      await world.advance(100)
      await Promise.all([world.read(), world.read()])
    }
    assert.strictEqual(await world.read(), "away 200 /scores 1, 60 s")
    assert.isAtMost(world.asked, 120)
    await world.advance(3_539_900)
    assert.strictEqual(await world.read(), "away 200 /scores 1, 3599 s")
    await world.advance(1_000)
    assert.strictEqual(await world.read(), "unavailable")
    world.status = 200
    await world.advance(500)
    assert.match(await world.read(), /^miss 200 \/scores \d+, 0 s$/)
  })

  it("wait 3 s for an unresponsive origin, once for all", async () => {
    const world = new World()
    await world.read()
    await world.advance(7_000)
    world.ready = new Promise(() => undefined)
    const waiting = world.read()
    await world.advance(2_999)
    const late = world.read()
    await world.advance(1)
    assert.deepStrictEqual(await Promise.all([waiting, late]), [
      "away 200 /scores 1, 10 s",
      "away 200 /scores 1, 10 s",
    ])
    const later = world.read()
    await world.advance(0)
    assert.strictEqual(await later, "away 200 /scores 1, 10 s")
  })

  it("ask again when the request that asked was lost", async () => {
    const world = new World()
    world.ready = new Promise(() => undefined)
    const lost = world.read()
    await world.advance(3_000)
    assert.strictEqual(await lost, "unavailable")
    world.ready = Promise.resolve()
    await world.advance(12_000)
    assert.strictEqual(await world.read(), "miss 200 /scores 2, 0 s")
  })

  it("give the last answer, and ask again, when the runtime has ended the request that asked", async () => {
    const world = new World()
    await world.read()
    await world.advance(60_000)
    const ended = world.question("/scores", { ask: () => Promise.reject(new Error("has since ended")) })
    assert.deepStrictEqual(await Promise.all([world.read(ended), world.read()]), [
      "away 200 /scores 1, 60 s",
      "away 200 /scores 1, 60 s",
    ])
    assert.strictEqual(await world.read(), "miss 200 /scores 2, 0 s")
  })

  it("remember at most 500 requests that ask, because the runtime may end them without a word, and the board's among them", async () => {
    const world = new World()
    world.ready = new Promise(() => undefined)
    const lose = (key: string) => void world.read(world.question(key))
    lose("/assets/first.js")
    for (let n = 0; n < 600; n++) {
      lose("/scores")
      lose(`/assets/${n}.js`)
      await world.advance(0)
    }
    assert.strictEqual(world.asked, 602)
    lose("/assets/first.js")
    await world.advance(0)
    assert.strictEqual(world.asked, 603)
  })

  it("take what another isolate has kept", async () => {
    const world = new World()
    await world.read()
    const other = new Reads()
    await world.advance(500)
    assert.strictEqual(await world.read(world.question(), other), "hit 200 /scores 1, 0 s")
    world.status = undefined
    await world.advance(60_000)
    assert.strictEqual(await world.read(world.question(), new Reads()), "away 200 /scores 1, 60 s")
  })

  it("pass the origin's refusal on if nothing is kept, and prefer the last good answer", async () => {
    const world = new World()
    world.status = 503
    assert.strictEqual(await world.read(), "miss 503 /scores 1, 0 s")
    assert.strictEqual(await world.read(), "miss 503 /scores 1, 0 s")
    world.status = 200
    await world.advance(500)
    assert.strictEqual(await world.read(), "miss 200 /scores 2, 0 s")
    for (const status of [500, 503, 429]) {
      world.status = status
      await world.advance(7_000)
      assert.match(await world.read(), /^away 200 \/scores 2/)
    }
  })

  it("count an ask only when it is needed, and give the last answer when a limit refuses it", async () => {
    const world = new World()
    const scarce = world.question("/scores/page?limit=5", { account: "192.0.2.1" })
    await Promise.all([world.read(scarce), world.read(scarce)])
    await world.read(scarce)
    assert.strictEqual(world.allowed, 1)
    world.mayAsk = false
    await world.advance(60_000)
    assert.strictEqual(await world.read(scarce), "stale 200 /scores/page?limit=5 1, 60 s")
    assert.strictEqual(
      await world.read(world.question("/scores/page?limit=6", { account: "192.0.2.1" })),
      "refused",
    )
    assert.strictEqual(world.asked, 1)
  })

  it("keep what one client's limits refused from the others", async () => {
    const world = new World()
    world.status = 429
    const page = (account: string) => world.question("/scores/page?limit=5", { account })
    const first = await world.read(page("192.0.2.1"))
    world.status = 200
    assert.strictEqual(first, "miss 429 /scores/page?limit=5 1, 0 s")
    assert.strictEqual(await world.read(page("192.0.2.2")), "miss 200 /scores/page?limit=5 2, 0 s")
  })

  it("keep at most 500 answers, and the board among them while it is read", async () => {
    const world = new World()
    for (let n = 0; n < 2_000; n++) {
      await world.read(world.question(`/scores/page?limit=${n}`))
      await world.read()
    }
    assert.strictEqual(world.asked, 2_001)
    world.stored.clear()
    await world.read(world.question("/scores/page?limit=1"))
    assert.strictEqual(world.asked, 2_002)
  })
})
