import { assert, describe, it } from "@effect/vitest"
import { FakeEnvironment } from "./environmentFixtures.ts"
import { boardAnswer, startClient } from "./fixtures.ts"

const VIEWERS = 300

/** Uniform numbers, the same in every run (mulberry32). */
const randomFrom = (seed: number) => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** When a viewer whose connection is closed dials a server that is back after so long, in ms after the close. */
const dialsOf = async (seed: number, awayMs: number): Promise<ReadonlyArray<number>> => {
  const environment = new FakeEnvironment()
  environment.random = randomFrom(seed)
  const { client } = startClient(environment)
  environment.socket.send([])
  await environment.advance(10_000)
  const closedAt = environment.time
  const isBack = () => environment.time >= closedAt + awayMs
  const dials: Array<number> = []
  environment.answer = () => (isBack() ? boardAnswer(1) : undefined)
  const { openSocket } = environment
  environment.openSocket = (url) => {
    const socket = openSocket(url)
    if (isBack()) dials.push(environment.time - closedAt)
    environment.after(1, () => (isBack() ? socket.send([]) : socket.emit("close")))
    return socket
  }
  environment.socket.emit("close")
  await environment.advance(awayMs + 35_000)
  assert.strictEqual(client.view.state, "live")
  client.close()
  return dials
}

describe("Viewers without an edge, whose connections are all closed at the same moment", () => {
  it.each([
    [0, 1 / 2],
    [500, 1 / 2],
    [3_000, 1 / 3],
    [20_000, 0.15],
    [60_000, 0.15],
  ])(
    "dial a server that is back after %i ms at random moments: at most a share of %f in a quarter of a second",
    async (awayMs, share) => {
      const all = await Promise.all(Array.from({ length: VIEWERS }, (_, seed) => dialsOf(seed, awayMs)))
      const dials = all.flat()
      const within = (from: number) => dials.filter((at) => at >= from && at < from + 250).length
      assert.isAtMost(Math.max(...dials.map(within)), share * VIEWERS)
    },
  )
})
