import { Redis } from "ioredis"
import { createServer } from "node:http"
import { Server } from "socket.io"
import { BOARD_CHANNEL, BOARD_KEY } from "../../src/domain/BoardCache.ts"
import { publicBoard } from "./board.ts"

/** Socket.IO 4 with its defaults: one `emit` to all for every message of the channel, and one on connect. */
const redis = new Redis(String(process.env["REDIS_URL"]))
const subscriber = redis.duplicate()

const server = createServer((request, response) => {
  if (request.url?.startsWith("/socket.io/") === true) return
  void redis.get(BOARD_KEY).then((json) => {
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(publicBoard(json)))
  })
})
const io = new Server(server)
let newest = publicBoard(await redis.get(BOARD_KEY))
io.on("connection", (socket) => {
  socket.emit("board", newest)
})
subscriber.on("message", (_channel, json) => {
  newest = publicBoard(json)
  io.emit("board", newest)
})
await subscriber.subscribe(BOARD_CHANNEL)
server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  if (address !== null && typeof address === "object") console.log(`listening on ${address.port}`)
})
