import fastify from "fastify"
import { Redis } from "ioredis"

/** `GET /scores` as Fastify serves it from the same Redis. */
const redis = new Redis(String(process.env["REDIS_URL"]))
const app = fastify()
app.get("/scores", async (_request, reply) => {
  const board = await redis.get("leaderboard:top10")
  return reply.type("application/json").send(board)
})
console.log(`listening on ${await app.listen({ host: "127.0.0.1", port: 0 })}`.replace(/http.*:/, ""))
process.once("SIGTERM", () => process.exit(0))
