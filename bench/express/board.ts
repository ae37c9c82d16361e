import type { Redis } from "ioredis"
import type { Pool } from "pg"
import { BOARD_KEY, BOARD_TTL_SECONDS } from "./config.ts"

interface Row {
  readonly email: string
  readonly score: number
}

/** One row per player is all that the brief needs; the index serves the top 10. */
export const migrate = async (pool: Pool): Promise<void> => {
  await pool.query(
    "create table if not exists users (id text primary key, email text not null, score int not null default 0)",
  )
  await pool.query("create index if not exists users_score on users (score desc)")
}

/** The board as the brief's JSON, from the database into the cache. */
export const refreshBoard = async (pool: Pool, redis: Redis): Promise<string> => {
  const { rows } = await pool.query<Row>("select email, score from users order by score desc limit 10")
  const json = JSON.stringify({ scores: rows })
  await redis.set(BOARD_KEY, json, "EX", BOARD_TTL_SECONDS)
  return json
}

/** The board from the cache, or from the database on a miss. */
export const readBoard = async (pool: Pool, redis: Redis): Promise<string> =>
  (await redis.get(BOARD_KEY)) ?? (await refreshBoard(pool, redis))
