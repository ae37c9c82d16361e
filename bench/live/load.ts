import type { Redis } from "ioredis"
import { Agent, get } from "node:http"
import { BOARD_CHANNEL, BOARD_KEY } from "../../src/domain/BoardCache.ts"
import { publishedBoard } from "./board.ts"
import { pause } from "./process.ts"

/** Publishes a board as the worker does; when that was, in ms since 1970. */
export const publish = async (redis: Redis, version: number) => {
  const json = publishedBoard(version)
  await redis.set(BOARD_KEY, json)
  const at = performance.timeOrigin + performance.now()
  await redis.publish(BOARD_CHANNEL, json)
  return at
}

/**
 * Reads the board over one kept connection, a pause (ms) after every answer, for as long as `meanwhile` takes; the
 * times of the reads in ms. Broken when one is not answered with 200.
 */
export const readDuring = async (port: number, meanwhile: Promise<void>, every = 1) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const times: Array<number> = []
  const over = { is: false }
  const end = meanwhile.finally(() => {
    over.is = true
  })
  for (;;) {
    if (over.is) break
    const started = performance.now()
    await new Promise<void>((resolve, reject) => {
      get({ host: "127.0.0.1", port, path: "/scores", agent }, (response) => {
        if (response.statusCode !== 200) reject(new Error(`GET /scores: ${response.statusCode}`))
        response.resume().on("end", resolve)
      }).on("error", reject)
    })
    times.push(performance.now() - started)
    await pause(every)
  }
  await end
  agent.destroy()
  return times
}
