import { assert, describe, it } from "@effect/vitest"
import { FakeEnvironment } from "./environmentFixtures.ts"
import { ada, boardAnswer, startClient } from "./fixtures.ts"

const EPOCH = "0e2a1f0c-5d0e-4d4e-8f7b-1c2d3e4f5a6b"
const at = (version: number, epoch = EPOCH) => ({ epoch, version })
const tag = (version: number, epoch = EPOCH) => ({ etag: `"${epoch}-${version}"` })

describe("ScoreboardClient and versions", () => {
  describe("on the socket", () => {
    it("shows no older board of the epoch, neither on one connection nor on the next", async () => {
      const environment = new FakeEnvironment()
      const { client, views } = startClient(environment)
      environment.socket.send(ada(377), at(12))
      environment.socket.send(ada(376), at(11))
      assert.deepStrictEqual(client.view.scores, ada(377))
      environment.socket.emit("close")
      await environment.advance(1_000)
      environment.socket.send(ada(376), at(11))
      environment.socket.send(ada(378), at(13))
      const shown = views.map(({ scores }) => scores?.[0]?.score)
      assert.deepStrictEqual(
        shown.filter((score, n) => score !== undefined && score !== shown[n - 1]),
        [377, 378],
      )
    })

    it("shows a lower score of a later version: a correction", () => {
      const environment = new FakeEnvironment()
      const { client } = startClient(environment)
      environment.socket.send(ada(5), at(1))
      environment.socket.send(ada(2), at(2))
      assert.deepStrictEqual(client.view.scores, ada(2))
    })

    it("shows whatever another epoch brings, and counts from there", () => {
      const environment = new FakeEnvironment()
      const { client } = startClient(environment)
      environment.socket.send(ada(5), at(100))
      environment.socket.send(ada(3), at(2, "restored"))
      assert.deepStrictEqual(client.view.scores, ada(3))
      environment.socket.send(ada(2), at(1, "restored"))
      assert.deepStrictEqual(client.view.scores, ada(3))
    })

    it("shows an unstamped board after any, and any after it", () => {
      const environment = new FakeEnvironment()
      const { client } = startClient(environment)
      environment.socket.send(ada(5), at(5))
      environment.socket.send(ada(4))
      assert.deepStrictEqual(client.view.scores, ada(4))
      environment.socket.send(ada(3), at(3))
      assert.deepStrictEqual(client.view.scores, ada(3))
    })

    it("is live on an older board, which does not confirm the one on show; the same version does", async () => {
      const environment = new FakeEnvironment()
      const { client } = startClient(environment)
      environment.socket.send(ada(5), at(5))
      await environment.advance(6_000)
      environment.socket.emit("close")
      await environment.advance(1_000)
      environment.socket.send(ada(4), at(4))
      assert.strictEqual(client.view.state, "live")
      assert.strictEqual(client.ageMs(), 7_000)
      environment.socket.send(ada(5), at(5))
      assert.strictEqual(client.ageMs(), 0)
    })

    it("leaves a connection that told nothing but older boards for 40 s, and waits longer every time", async () => {
      const environment = new FakeEnvironment()
      const { client } = startClient(environment)
      environment.socket.send(ada(5), at(5))
      environment.socket.emit("close")
      await environment.advance(1_000)
      for (const waitMs of [2_000, 4_000]) {
        const { socket } = environment
        socket.send(ada(4), at(4))
        for (let n = 0; n < 2; n++) {
          await environment.advance(15_000)
          socket.send(ada(4), at(4))
        }
        await environment.advance(9_999)
        assert.isFalse(socket.isClosed)
        await environment.advance(1)
        assert.isTrue(socket.isClosed)
        assert.strictEqual(client.view.state, "reconnecting")
        await environment.advance(waitMs - 1)
        assert.strictEqual(environment.socket, socket)
        await environment.advance(1)
        assert.notStrictEqual(environment.socket, socket)
      }
      assert.deepStrictEqual(client.view.scores, ada(5))
    })

    it("keeps a connection that was behind for a while", async () => {
      const environment = new FakeEnvironment()
      const { client } = startClient(environment)
      environment.socket.send(ada(5), at(5))
      environment.socket.emit("close")
      await environment.advance(1_000)
      environment.socket.send(ada(4), at(4))
      await environment.advance(30_000)
      environment.socket.send(ada(6), at(6))
      await environment.advance(39_999)
      assert.strictEqual(client.view.state, "live")
      assert.strictEqual(environment.sockets.length, 2)
    })
  })

  describe("while polling", () => {
    const pollingAfter = async (shown: number) => {
      const environment = new FakeEnvironment()
      const started = startClient(environment)
      environment.socket.send(ada(shown), at(shown))
      environment.socket.emit("close")
      await environment.advance(1_000)
      return { environment, ...started }
    }

    it("shows no older board, and is not told by it how fresh its own is", async () => {
      const { environment, client } = await pollingAfter(5)
      environment.answer = () => boardAnswer(4, tag(4))
      environment.socket.emit("close")
      await environment.settle()
      assert.strictEqual(client.view.state, "polling")
      assert.deepStrictEqual(client.view.scores, ada(5))
      assert.strictEqual(client.ageMs(), 1_000)
    })

    it("shows a later version, also one that a cache has held since before the board on show", async () => {
      const { environment, client } = await pollingAfter(5)
      environment.answer = () => boardAnswer(6, { ...tag(6), age: "20" })
      environment.socket.emit("close")
      await environment.settle()
      assert.deepStrictEqual(client.view.scores, ada(6))
      assert.strictEqual(client.ageMs(), 20_000)
    })

    it("shows another epoch, but not from before the board on show", async () => {
      const { environment, client } = await pollingAfter(5)
      environment.answer = () => boardAnswer(4, { ...tag(4, "before"), age: "20" })
      environment.socket.emit("close")
      await environment.settle()
      assert.deepStrictEqual(client.view.scores, ada(5))
      environment.answer = () => boardAnswer(1, tag(1, "restored"))
      await environment.advance(6_000)
      assert.deepStrictEqual(client.view.scores, ada(1))
    })

    it("shows a board whose tag is no stamp", async () => {
      const { environment, client } = await pollingAfter(5)
      environment.answer = () => boardAnswer(4, { etag: '"512-1034-unstamped"' })
      environment.socket.emit("close")
      await environment.settle()
      assert.deepStrictEqual(client.view.scores, ada(4))
    })

    it("keeps what a poll showed when the socket then brings an older board", async () => {
      const environment = new FakeEnvironment()
      environment.answer = () => boardAnswer(5, tag(5))
      const { client } = startClient(environment, { fetchFirst: true })
      await environment.settle()
      environment.socket.send(ada(4), at(4))
      assert.strictEqual(client.view.state, "live")
      assert.deepStrictEqual(client.view.scores, ada(5))
    })
  })
})
