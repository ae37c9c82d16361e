import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs"
import express from "express"
import { Redis } from "ioredis"
import { createServer } from "node:http"
import { Pool } from "pg"
import { WebSocketServer } from "ws"
import { requireAuth } from "./auth.ts"
import { migrate, readBoard } from "./board.ts"
import { BOARD_CHANNEL, databaseUrl, INCREMENT_TYPE, queueUrl, redisUrl, sqsEndpoint } from "./config.ts"

/**
 * The brief as one would build it in an afternoon with the stack that it names: one UPDATE and one SendMessage
 * per increment, the board from Redis, every published board to every socket. Players are known beforehand.
 */
const pool = new Pool({ connectionString: databaseUrl, max: 20 })
const redis = new Redis(redisUrl)
const subscriber = new Redis(redisUrl)
const sqs = new SQSClient(sqsEndpoint === undefined ? {} : { endpoint: sqsEndpoint })
await migrate(pool)

const app = express()
app.disable("x-powered-by")

app.get("/scores", async (_request, response) => {
  response.type("application/json").send(await readBoard(pool, redis))
})

app.post("/scores/increment", requireAuth, async (_request, response) => {
  const userId = String(response.locals["userId"])
  const { rows } = await pool.query<{ email: string }>(
    "update users set score = score + 1 where id = $1 returning email",
    [userId],
  )
  const email = rows[0]?.email
  if (email === undefined) {
    response.status(401).json({ message: "Unauthorized" })
    return
  }
  const MessageBody = JSON.stringify({ userId, email, type: INCREMENT_TYPE })
  await sqs.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody }))
  response.json({ message: "Score incremented" })
})

const server = createServer(app)
const sockets = new WebSocketServer({ server, path: "/scores/websocket", perMessageDeflate: false })
sockets.on("connection", (socket) => {
  readBoard(pool, redis).then(
    (board) => socket.send(board),
    (error: unknown) => console.error(error),
  )
})
subscriber.on("message", (_channel, board) => {
  for (const socket of sockets.clients) if (socket.readyState === socket.OPEN) socket.send(board)
})
await subscriber.subscribe(BOARD_CHANNEL)

server.listen(Number(process.env["PORT"] ?? 0), "127.0.0.1", () => {
  const address = server.address()
  console.log(`listening on ${typeof address === "object" ? address?.port : address}`)
})
process.once("SIGTERM", () => process.exit(0))
