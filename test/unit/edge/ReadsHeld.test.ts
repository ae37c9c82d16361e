import { assert, describe, it } from "@effect/vitest"
import { World } from "./readsFixtures.ts"

describe("Reads at the edge for a client that has the last answer already, while the origin is unavailable", () => {
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

  it("tell another request when the origin is back, if they know that it is away", async () => {
    const { world, poll } = await away()
    const until = () => world.reads.untilBack(world.question(), world.around)
    assert.strictEqual(await until(), "unknown")
    poll()
    await world.advance(0)
    const told: Array<string> = []
    const wait = () => void until().then((how) => told.push(how))
    wait()
    for (let n = 0; n < 79; n++) await world.advance(100)
    wait()
    assert.deepStrictEqual(told, [])
    await world.advance(100)
    assert.deepStrictEqual(told, ["away"])
    world.status = 200
    for (let n = 0; n < 6; n++) await world.advance(100)
    assert.deepStrictEqual(told, ["away", "back"])
    assert.strictEqual(await until(), "unknown")
  })
})
