import { assert, describe, it } from "@effect/vitest"
import { createServer } from "node:http"
import { once } from "node:events"
import { WebSocketServer } from "ws"
import { type BoardView, ScoreboardClient } from "../../../src/client/ScoreboardClient.ts"

const board = (score: number) => JSON.stringify({ scores: [{ email: "ada@example.com", score }] })

/** A server that speaks the public contract for one board, on a free port of loopback. */
const startServer = async () => {
  const http = createServer((_, response) => response.setHeader("etag", '"1"').end(board(1)))
  const sockets = new WebSocketServer({ noServer: true })
  const state = { refuses: false }
  http.on("upgrade", (request, socket, head) => {
    if (state.refuses) return void socket.end("HTTP/1.1 503 Service Unavailable\r\n\r\n")
    sockets.handleUpgrade(request, socket, head, (client) => client.send(board(2)))
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

/** The first view that is as wanted; a test that never sees one ends with its time limit. */
const until = (client: ScoreboardClient, wanted: (view: BoardView) => boolean) =>
  new Promise<BoardView>((resolve) => {
    client.subscribe((view) => wanted(view) && resolve(view))
  })

describe("ScoreboardClient on Node's own WebSocket and fetch", () => {
  it("goes live, polls while the socket is refused, returns to live, and hangs up on close", async () => {
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
})
