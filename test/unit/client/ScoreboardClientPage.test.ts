import { assert, describe, it } from "@effect/vitest"
import type { BoardView } from "../../../src/client/ScoreboardClient.ts"
import { FakeEnvironment } from "./environmentFixtures.ts"
import { ada, boardAnswer, startClient } from "./fixtures.ts"

describe("ScoreboardClient", () => {
  describe("in a page", () => {
    it("disconnects after 10 s in a hidden tab and reconnects when it is shown", async () => {
      const environment = new FakeEnvironment()
      const { client } = startClient(environment)
      environment.socket.send(ada(1))
      await environment.page({ hidden: true })
      await environment.advance(9_999)
      assert.isFalse(environment.socket.isClosed)
      await environment.advance(1)
      assert.isTrue(environment.socket.isClosed)
      assert.strictEqual(environment.timers.size, 0)
      await environment.page({ hidden: false })
      assert.strictEqual(client.view.state, "reconnecting")
      environment.socket.send(ada(2))
      assert.strictEqual(client.view.state, "live")
    })

    it("keeps its socket while the tab is hidden for a short time", async () => {
      const environment = new FakeEnvironment()
      startClient(environment)
      environment.socket.send(ada(1))
      await environment.page({ hidden: true })
      await environment.advance(5_000)
      await environment.page({ hidden: false })
      await environment.advance(20_000)
      assert.isFalse(environment.socket.isClosed)
    })

    it("stays connected in a hidden tab when told to", async () => {
      const environment = new FakeEnvironment()
      startClient(environment, { pauseWhenHidden: false })
      environment.socket.send(ada(1))
      await environment.page({ hidden: true })
      await environment.advance(20_000)
      assert.isFalse(environment.socket.isClosed)
    })

    it("does not connect in a tab that starts hidden until it is shown", async () => {
      const environment = new FakeEnvironment()
      environment.hidden = true
      startClient(environment)
      assert.strictEqual(environment.sockets.length, 0)
      await environment.page({ hidden: false })
      assert.strictEqual(environment.sockets.length, 1)
    })

    it("says offline once an attempt fails, still tries, and dials at once when the network is back", async () => {
      const environment = new FakeEnvironment()
      const { client } = startClient(environment)
      environment.socket.send(ada(1))
      await environment.page({ online: false })
      assert.strictEqual(client.view.state, "offline")
      assert.isTrue(environment.sockets[0]?.isClosed)
      await environment.advance(0)
      assert.strictEqual(environment.sockets.length, 2)
      environment.socket.emit("close")
      await environment.advance(120_000)
      assert.strictEqual(client.view.state, "offline")
      const tried = environment.sockets.length
      assert.isAtLeast(tried, 3)
      environment.socket.emit("close")
      const asked = environment.requests.length
      await environment.page({ online: true })
      assert.strictEqual(environment.sockets.length, tried + 1)
      assert.strictEqual(environment.requests.length, asked + 1)
      assert.strictEqual(client.view.state, "reconnecting")
    })

    it("never says offline while the API answers, although the device reports no network", async () => {
      const environment = new FakeEnvironment()
      environment.online = false
      environment.answer = () => boardAnswer(1)
      const { client, states } = startClient(environment)
      environment.socket.send(ada(1))
      await environment.page({ online: true })
      await environment.page({ online: false })
      await environment.advance(0)
      environment.socket.send(ada(2))
      await environment.advance(30_000)
      environment.socket.emit("close")
      await environment.advance(60_000)
      assert.strictEqual(client.view.state, "polling")
      assert.notInclude(states(), "offline")
    })

    it("keeps one socket when the network returns and a poll is answered again during the dial", async () => {
      const environment = new FakeEnvironment()
      startClient(environment)
      environment.socket.emit("close")
      await environment.page({ online: false })
      await environment.page({ online: true })
      await environment.advance(3_000)
      environment.answer = () => boardAnswer(1)
      await environment.advance(6_000)
      assert.deepStrictEqual(
        environment.sockets.map(({ isClosed }) => isClosed),
        [true, false],
      )
    })
  })

  describe("close", () => {
    const situations: Record<string, (environment: FakeEnvironment) => void | Promise<void>> = {
      connecting: () => {},
      live: (environment) => environment.socket.send(ada(1)),
      "waiting to dial": (environment) => {
        environment.socket.send(ada(1))
        environment.socket.emit("close")
      },
      polling: (environment) => {
        environment.answer = () => boardAnswer(1)
        environment.socket.emit("close")
        return environment.settle()
      },
      "in the middle of a poll": (environment) => {
        environment.answer = () => new Promise(() => {})
        environment.socket.emit("close")
        return environment.settle()
      },
      "about to pause": (environment) => environment.page({ hidden: true }),
      offline: (environment) => environment.page({ online: false }),
    }

    it.each(Object.keys(situations))("leaves nothing behind when %s", async (situation) => {
      const environment = new FakeEnvironment()
      const { client, views } = startClient(environment)
      await situations[situation]?.(environment)
      client.close()
      const heard = views.length
      await environment.settle()
      environment.assertNothingLeft()
      client.close()
      await environment.advance(120_000)
      assert.strictEqual(views.length, heard)
      environment.assertNothingLeft()
    })
  })

  describe("subscribe", () => {
    it("ends each subscription separately", () => {
      const environment = new FakeEnvironment()
      const { client } = startClient(environment)
      const heard: string[] = []
      const listener = (view: BoardView) => void heard.push(view.state)
      const end = client.subscribe(listener)
      client.subscribe(listener)
      end()
      environment.socket.send(ada(1))
      assert.deepStrictEqual(heard, ["connecting", "connecting", "live"])
    })
  })
})
