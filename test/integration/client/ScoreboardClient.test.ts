import { assert, describe, it } from "@effect/vitest"
import { createServer } from "node:http"
import { once } from "node:events"
import { WebSocketServer } from "ws"
import { type BoardView, ScoreboardClient } from "../../../src/client/ScoreboardClient.ts"

const board = (score: number, stamp: object = {}) =>
  JSON.stringify({ scores: [{ email: "ada@example.com", score }], ...stamp })

/** A server that speaks the public contract for one board, on a free port of loopback. */
const startServer = async () => {
  const http = createServer((_, response) => response.setHeader("etag", '"1"').end(board(1)))
  const sockets = new WebSocketServer({ noServer: true })
  const state = { refuses: false, version: 2 }
  http.on("upgrade", (request, socket, head) => {
    if (state.refuses) return void socket.end("HTTP/1.1 503 Service Unavailable\r\n\r\n")
    const { version } = state
    const stamp = request.url?.endsWith("?stamped") === true ? { epoch: "epoch", version } : {}
    sockets.handleUpgrade(request, socket, head, (client) => client.send(board(version, stamp)))
  })
  await once(http.listen(0, "127.0.0.1"), "listening")
  const address = http.address()
  if (address === null || typeof address === "string") throw new Error("no port")
  const cut = () => sockets.clients.forEach((client) => client.terminate())
  return {
    url: `http://127.0.0.1:${address.port}`,
    state,
    clients: sockets.clients,
    cut,
    async [Symbol.asyncDispose]() {
      cut()
      http.closeAllConnections()
      await once(http.close(), "close")
    },
  }
}

/** The first view that is as wanted. If there is none, the time limit of the test ends the wait. */
const until = (client: ScoreboardClient, wanted: (view: BoardView) => boolean) =>
  new Promise<BoardView>((resolve) => {
    client.subscribe((view) => wanted(view) && resolve(view))
  })

describe("ScoreboardClient on Node's own WebSocket and fetch", () => {
  it("goes live, polls while the socket is refused, returns to live, and closes its socket on close", async () => {
    await using server = await startServer()
    const client = new ScoreboardClient({ url: server.url })
    assert.strictEqual((await until(client, ({ state }) => state === "live")).scores?.[0]?.score, 2)

    server.state.refuses = true
    server.cut()
    assert.strictEqual((await until(client, ({ state }) => state === "polling")).scores?.[0]?.score, 1)

    server.state.refuses = false
    assert.strictEqual((await until(client, ({ state }) => state === "live")).scores?.[0]?.score, 2)

    const [peer] = server.clients
    assert.isDefined(peer)
    client.close()
    await once(peer, "close")
  })

  it("asks for stamps, and keeps its board when it reconnects to a process that is behind", async () => {
    await using server = await startServer()
    server.state.version = 9
    const client = new ScoreboardClient({ url: server.url, fetchFirst: false })
    const shown: Array<number | undefined> = []
    client.subscribe(({ scores }) => scores && shown.push(scores[0]?.score))
    await until(client, ({ state }) => state === "live")

    for (const version of [8, 10]) {
      server.state.version = version
      server.cut()
      await until(client, ({ state }) => state === "reconnecting")
      await until(client, ({ state }) => state === "live")
    }
    client.close()
    assert.deepStrictEqual([...new Set(shown)], [9, 10])
  })
})
