import { assert, describe, it } from "@effect/vitest"
import { type Plain, type Question, Reads, type Surroundings } from "../../../edge/src/Reads.ts"

const bodyOf = (text: string) => new TextEncoder().encode(text).buffer
const textOf = (body: ArrayBuffer) => new TextDecoder().decode(body)

/** A location of the edge with a clock that the test moves, and an origin that answers when the test says so. */
class World {
  readonly reads = new Reads()
  readonly stored = new Map<string, Plain>()
  now = 1_000_000
  asked = 0
  allowed = 0
  mayAsk = true
  /** What the origin answers: a status, or undefined when it is unavailable. */
  status: number | undefined = 200
  /** Answers wait for this. */
  ready: Promise<unknown> = Promise.resolve()
  private readonly sleepers: Array<{ readonly at: number; readonly wake: () => void }> = []

  readonly around: Surroundings = {
    now: () => this.now,
    sleep: (millis) =>
      new Promise((resolve) => this.sleepers.push({ at: this.now + millis, wake: () => resolve(undefined) })),
    find: (key) => Promise.resolve(this.stored.get(key)),
    store: (key, answer) => Promise.resolve(void this.stored.set(key, answer)),
    outlive: () => undefined,
  }

  question(key = "/scores", more: Partial<Question> = {}): Question {
    return {
      key,
      freshMillis: 1_000,
      staleMillis: 5_000,
      account: undefined,
      mayAsk: () => {
        this.allowed++
        return Promise.resolve(this.mayAsk)
      },
      ask: async () => {
        const askedAt = this.now
        const n = ++this.asked
        await this.ready
        if (this.status === undefined) return undefined
        return { askedAt, status: this.status, headers: {}, body: bodyOf(`${key} ${n}`) }
      },
      ...more,
    }
  }

  /** Reads, and gives the reply in words. */
  async read(question = this.question(), reads = this.reads): Promise<string> {
    const reply = await reads.read(question, this.around)
    if (!("answer" in reply)) return reply.from
    return `${reply.from} ${reply.answer.status} ${textOf(reply.answer.body)}, ${reply.ageSeconds} s`
  }

  async advance(millis: number) {
    this.now += millis
    for (const { at, wake } of this.sleepers) if (at <= this.now) wake()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

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

  describe("for a client that has the last answer already, while the origin is unavailable", () => {
    /** Twenty seconds after the origin went away; `poll` is such a client's request. */
    const away = async () => {
      const world = new World()
      await world.read()
      world.status = undefined
      await world.advance(20_000)
      const settled: Array<string> = []
      const poll = () =>
        void world.read(world.question("/scores", { has: () => true })).then((reply) => settled.push(reply))
      return { world, settled, poll }
    }

    it("wait up to 8 s and then give it with its age, and ask twice a second for all who wait", async () => {
      const { world, settled, poll } = await away()
      for (let n = 0; n < 20; n++) poll()
      const before = world.asked
      for (let n = 1; n < 80; n++) await world.advance(100)
      assert.deepStrictEqual(settled, [])
      assert.isAtLeast(world.asked - before, 10)
      assert.isAtMost(world.asked - before, 17)
      assert.strictEqual(await world.read(), "away 200 /scores 1, 27 s")
      await world.advance(100)
      assert.deepStrictEqual(settled, Array(20).fill("away 200 /scores 1, 28 s"))
      const { asked } = world
      for (let n = 0; n < 50; n++) await world.advance(100)
      assert.strictEqual(world.asked, asked, "nobody waits, and the origin is asked")
    })

    it("give the origin's answer to all of them within half a second of its return", async () => {
      const { world, settled, poll } = await away()
      for (let n = 0; n < 20; n++) poll()
      for (let n = 0; n < 31; n++) await world.advance(100)
      world.status = 200
      const { asked } = world
      for (let n = 0; n < 5; n++) await world.advance(100)
      assert.strictEqual(world.asked, asked + 1)
      assert.deepStrictEqual(settled, Array(20).fill(`miss 200 /scores ${world.asked}, 0 s`))
    })

    it("wait no longer for an origin that does not respond, and give its answer if it comes in time", async () => {
      const { world, settled, poll } = await away()
      let answer = () => {}
      world.ready = new Promise<void>((resolve) => (answer = resolve))
      world.status = 200
      poll()
      await world.advance(0)
      for (let n = 0; n < 60; n++) await world.advance(100)
      assert.deepStrictEqual(settled, [])
      answer()
      await world.advance(0)
      assert.deepStrictEqual(settled, [`hit 200 /scores ${world.asked}, 6 s`])
    })

    it("give it at once until it is so old that every client knows it for old", async () => {
      const world = new World()
      await world.read()
      world.status = undefined
      await world.advance(17_900)
      assert.strictEqual(
        await world.read(world.question("/scores", { has: () => true })),
        "away 200 /scores 1, 17 s",
      )
    })

    it("keep at most 500 of them waiting, and forget those whose client has left", async () => {
      const { world, settled, poll } = await away()
      // The runtime never goes on with a request whose client has left.
      const around = { ...world.around, sleep: () => new Promise<undefined>(() => undefined) }
      for (let n = 0; n < 500; n++)
        void world.reads.read(world.question("/scores", { has: () => true }), around)
      await world.advance(0)
      poll()
      await world.advance(0)
      assert.deepStrictEqual(settled, ["away 200 /scores 1, 20 s"])
      await world.advance(8_000)
      poll()
      await world.advance(0)
      assert.lengthOf(settled, 1)
    })
  })
})
