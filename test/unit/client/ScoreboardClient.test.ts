import { assert, describe, it } from "@effect/vitest"
import { type FakeAnswer, FakeEnvironment } from "./environmentFixtures.ts"
import { ada, boardAnswer, startClient } from "./fixtures.ts"

describe("ScoreboardClient", () => {
  describe("on the socket", () => {
    it("is connecting until the first board and then live", () => {
      const environment = new FakeEnvironment()
      const { client, states } = startClient(environment)
      assert.strictEqual(environment.socket.url, "wss://board.example/scores/websocket?stamped")
      environment.socket.send(ada(1))
      assert.deepStrictEqual(states(), ["connecting", "live"])
      assert.deepStrictEqual(client.view.scores, ada(1))
    })

    it("keeps the same array while the board is the same, and renews its age", async () => {
      const environment = new FakeEnvironment()
      const { client } = startClient(environment)
      environment.socket.send(ada(1))
      const before = client.view.scores
      await environment.advance(15_000)
      assert.strictEqual(client.ageMs(), 15_000)
      environment.socket.send(ada(1))
      assert.strictEqual(client.view.scores, before)
      assert.strictEqual(client.ageMs(), 0)
    })

    it("ignores frames that are not a board, also as a sign of life", async () => {
      const environment = new FakeEnvironment()
      const { client } = startClient(environment)
      environment.socket.send(ada(1))
      await environment.advance(39_000)
      environment.socket.emit("message", "hello")
      assert.deepStrictEqual(client.view.scores, ada(1))
      await environment.advance(1_000)
      assert.strictEqual(client.view.state, "reconnecting")
    })

    it("ends a connection without a board for 40 s and dials again", async () => {
      const environment = new FakeEnvironment()
      const { client } = startClient(environment)
      environment.socket.send(ada(1))
      await environment.advance(39_999)
      assert.strictEqual(client.view.state, "live")
      await environment.advance(1)
      assert.strictEqual(client.view.state, "reconnecting")
      assert.isTrue(environment.socket.isClosed)
      await environment.advance(1_000)
      assert.strictEqual(environment.sockets.length, 2)
    })

    it("notices within 5 s of waking that the machine slept", async () => {
      const environment = new FakeEnvironment()
      const { client } = startClient(environment)
      environment.socket.send(ada(1))
      const asleepUntil = environment.time + 3_600_000
      environment.now = () => asleepUntil + environment.time - 1_000_000
      await environment.advance(5_000)
      assert.strictEqual(client.view.state, "reconnecting")
    })

    it("gives up a connection that brings no board within 10 s", async () => {
      const environment = new FakeEnvironment()
      startClient(environment)
      await environment.advance(9_999)
      assert.isFalse(environment.socket.isClosed)
      await environment.advance(1)
      assert.isTrue(environment.socket.isClosed)
    })
  })

  describe("when the connection is lost", () => {
    it("is back within a second, without a poll, and shows the old board meanwhile", async () => {
      const environment = new FakeEnvironment()
      const { client, states } = startClient(environment)
      environment.socket.send(ada(1))
      await environment.advance(6_000)
      environment.socket.emit("close")
      assert.deepStrictEqual(client.view.scores, ada(1))
      await environment.advance(1_000)
      environment.socket.send(ada(2))
      assert.deepStrictEqual(states(), ["connecting", "live", "reconnecting", "live"])
      assert.deepStrictEqual(environment.requests, [])
    })

    it("waits up to 1, 2, 4, 8, 16, 30 and 30 s between refused attempts", async () => {
      const environment = new FakeEnvironment()
      startClient(environment)
      const waits: number[] = []
      for (let attempt = 1; attempt <= 7; attempt++) {
        const refusedAt = environment.time
        environment.socket.emit("close")
        while (environment.sockets.length === attempt) await environment.advance(100)
        waits.push(environment.time - refusedAt)
      }
      assert.deepStrictEqual(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000])
    })

    it("does not start over for a connection that lives less than 5 s", async () => {
      const environment = new FakeEnvironment()
      startClient(environment)
      for (const waitMs of [1_000, 2_000, 4_000]) {
        const { length } = environment.sockets
        environment.socket.send(ada(1))
        environment.socket.emit("close")
        await environment.advance(waitMs - 1)
        assert.strictEqual(environment.sockets.length, length)
        await environment.advance(1)
        assert.strictEqual(environment.sockets.length, length + 1)
      }
    })

    it("counts an error followed by a close as one end", async () => {
      const environment = new FakeEnvironment()
      startClient(environment)
      const { socket } = environment
      socket.emit("error")
      socket.emit("close")
      await environment.advance(1_000)
      assert.strictEqual(environment.sockets.length, 2)
    })
  })

  describe("while the socket is refused", () => {
    it("polls with the tag of the last answer and returns to live by itself", async () => {
      const environment = new FakeEnvironment()
      const { client, states } = startClient(environment)
      environment.answer = ({ headers }) =>
        headers?.["If-None-Match"] === '"1"' ? { status: 304 } : boardAnswer(1)
      environment.socket.emit("close")
      await environment.settle()
      assert.strictEqual(client.view.state, "polling")
      assert.deepStrictEqual(client.view.scores, ada(1))

      await environment.advance(6_000)
      assert.deepStrictEqual(
        environment.requests.map(({ headers }) => headers),
        [{}, { "If-None-Match": '"1"' }],
      )
      assert.strictEqual(client.ageMs(), 0)

      environment.socket.send(ada(2))
      const asked = environment.requests.length
      await environment.advance(30_000)
      assert.strictEqual(environment.requests.length, asked)
      assert.deepStrictEqual(states(), ["connecting", "reconnecting", "polling", "live"])
    })

    it("says reconnecting when polling fails too, and waits at least as long as Retry-After says", async () => {
      const environment = new FakeEnvironment()
      const { client } = startClient(environment)
      environment.answer = () => ({ status: 503, headers: { "retry-after": "20" } })
      environment.socket.emit("close")
      await environment.advance(19_999)
      assert.strictEqual(client.view.state, "reconnecting")
      assert.strictEqual(environment.requests.length, 1)
      await environment.advance(1)
      assert.strictEqual(environment.requests.length, 2)
    })

    it("dials within a second when polling works again", async () => {
      const environment = new FakeEnvironment()
      startClient(environment)
      const refuseAll = async () => {
        const { length } = environment.sockets
        environment.socket.emit("close")
        while (environment.sockets.length === length) await environment.advance(500)
      }
      for (let attempt = 0; attempt < 6; attempt++) await refuseAll()
      environment.socket.emit("close")
      const { length } = environment.sockets
      environment.answer = () => boardAnswer(1)
      const asked = environment.requests.length
      while (environment.requests.length === asked) await environment.advance(100)
      assert.strictEqual(environment.sockets.length, length)
      await environment.advance(1_000)
      assert.strictEqual(environment.sockets.length, length + 1)
    })

    it("dials within a second when a cache that answered for the server brings its boards again", async () => {
      const environment = new FakeEnvironment()
      const { client } = startClient(environment)
      environment.answer = () => boardAnswer(1, { age: "60" })
      for (let attempt = 0; attempt < 6; attempt++) {
        const { length } = environment.sockets
        environment.socket.emit("close")
        while (environment.sockets.length === length) await environment.advance(500)
      }
      environment.socket.emit("close")
      const { length } = environment.sockets
      assert.strictEqual(client.view.state, "polling")
      environment.answer = () => boardAnswer(1, { age: "0" })
      const asked = environment.requests.length
      while (environment.requests.length === asked) await environment.advance(100)
      assert.strictEqual(environment.sockets.length, length)
      await environment.advance(1_000)
      assert.strictEqual(environment.sockets.length, length + 1)
    })

    it("polls again at once when a cache held the last poll for longer than the pause, and dials within 0.3 s of a current board", async () => {
      const environment = new FakeEnvironment()
      const { client } = startClient(environment)
      const held: Array<(age: string) => void> = []
      environment.answer = () =>
        new Promise((resolve) => held.push((age) => resolve(boardAnswer(1, { age }))))
      const answer = async (age: string) => {
        held.shift()?.(age)
        await environment.settle()
      }
      environment.socket.emit("close")
      await answer("20")
      for (const age of ["28", "36"]) {
        while (held.length === 0) await environment.advance(100)
        await environment.advance(8_000)
        assert.strictEqual(client.view.state, "polling")
        await answer(age)
        assert.strictEqual(client.ageMs(), Number(age) * 1_000)
      }
      await environment.advance(0)
      assert.lengthOf(held, 1)
      while (!environment.socket.isClosed) {
        environment.socket.emit("close")
        await environment.settle()
      }
      const { length } = environment.sockets
      await answer("0")
      await environment.advance(300)
      assert.strictEqual(environment.sockets.length, length + 1)
    })

    it("gives up a poll without an answer after 10 s", async () => {
      const environment = new FakeEnvironment()
      startClient(environment)
      environment.answer = () => new Promise(() => {})
      environment.socket.emit("close")
      await environment.advance(9_999)
      assert.isFalse(environment.requests[0]?.signal.aborted)
      await environment.advance(1)
      assert.isTrue(environment.requests[0]?.signal.aborted)
    })

    it("does not show a cached answer that is older than the board on show", async () => {
      const environment = new FakeEnvironment()
      const { client } = startClient(environment)
      environment.socket.send(ada(5))
      await environment.advance(6_000)
      environment.socket.emit("close")
      environment.answer = () => boardAnswer(4, { age: "20" })
      await environment.advance(1_000)
      environment.socket.emit("close")
      await environment.settle()
      assert.strictEqual(client.view.state, "polling")
      assert.deepStrictEqual(client.view.scores, ada(5))
    })
  })

  describe("with the first fetch", () => {
    it("shows the fetched board while it connects", async () => {
      const environment = new FakeEnvironment()
      environment.answer = () => boardAnswer(1)
      const { client } = startClient(environment, { fetchFirst: true })
      await environment.settle()
      assert.strictEqual(client.view.state, "connecting")
      assert.deepStrictEqual(client.view.scores, ada(1))
    })

    it("drops a fetched board that arrives after the socket's", async () => {
      const environment = new FakeEnvironment()
      let answerLate: (answer: FakeAnswer) => void = () => {}
      environment.answer = () => new Promise((resolve) => (answerLate = resolve))
      const { client } = startClient(environment, { fetchFirst: true })
      environment.socket.send(ada(2))
      answerLate(boardAnswer(1))
      await environment.settle()
      assert.deepStrictEqual(client.view.scores, ada(2))
    })
  })
})
