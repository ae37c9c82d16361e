import { Redis } from "ioredis"
import { createServer } from "node:http"
import { WebSocket, WebSocketServer } from "ws"
import { BOARD_CHANNEL, BOARD_KEY } from "../../src/domain/BoardCache.ts"
import { publicBoard } from "./board.ts"

/** The usual way: one `ws.send` per client for every message of the channel, and the newest board on connect. */
const redis = new Redis(String(process.env["REDIS_URL"]))
const subscriber = redis.duplicate()

const publicText = (json: string | null) => JSON.stringify(publicBoard(json))

const server = createServer((_request, response) => {
  void redis.get(BOARD_KEY).then((json) => {
    response.writeHead(200, { "content-type": "application/json" }).end(publicText(json))
  })
})
const sockets = new WebSocketServer({ server, path: "/scores/websocket" })
let newest = publicText(await redis.get(BOARD_KEY))
sockets.on("connection", (socket) => {
  socket.on("error", () => socket.terminate())
  socket.send(newest)
})
subscriber.on("message", (_channel, json) => {
  newest = publicText(json)
  for (const socket of sockets.clients) if (socket.readyState === WebSocket.OPEN) socket.send(newest)
})
await subscriber.subscribe(BOARD_CHANNEL)
server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  if (address !== null && typeof address === "object") console.log(`listening on ${address.port}`)
})
