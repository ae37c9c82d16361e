import type { Redis as Client, Result } from "ioredis"
import { BOARD_CHANNEL, BOARD_KEY, BOARD_TTL_SECONDS } from "../../domain/BoardCache.ts"
import type { BoardWrite, BoardWriteOutcome } from "./Redis.ts"

/**
 * The rule of `Redis.writeBoard`, in one step inside Redis. It has its own copy of `NewerBoard.ts`, since Lua cannot import
 * that; the contract suite checks that both agree. It uses one key, so it also runs on a cluster. Numbers are doubles
 * in Lua, exact to 2^53 - 1; they are only compared, never printed. A value counts as stamped only if a reader would
 * accept its stamp too: a value that readers repair must not count as a newer board.
 */
const WRITE_BOARD = `
local json, epoch, version, ttl, channel = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
if redis.call('TYPE', KEYS[1])['ok'] == 'string' then
  local decoded, board = pcall(cjson.decode, redis.call('GET', KEYS[1]))
  if decoded and type(board) == 'table' and type(board.scores) == 'table' and board.epoch == epoch then
    local there = board.version
    if type(there) == 'number' and there >= 0 and there <= 9007199254740991 and there % 1 == 0 then
      if there == version then
        redis.call('EXPIRE', KEYS[1], ttl)
        return 'renewed'
      elseif there > version then
        return 'older'
      end
    end
  end
end
redis.call('SET', KEYS[1], json, 'EX', ttl)
redis.call('PUBLISH', channel, json)
return 'written'
`

declare module "ioredis" {
  interface RedisCommander<Context> {
    /** Defined by `defineWriteBoard`; the outcomes are the three returns of the script. */
    writeBoard(
      key: string,
      json: string,
      epoch: string,
      version: number,
      ttlSeconds: number,
      channel: string,
    ): Result<BoardWriteOutcome, Context>
  }
}

/** Defines the script for a connection, which sends it once, then only its hash, and again after NOSCRIPT. */
export const defineWriteBoard = (client: Client): void =>
  client.defineCommand("writeBoard", { lua: WRITE_BOARD, numberOfKeys: 1 })

/** Runs the script. */
export const runWriteBoard = (client: Client, board: BoardWrite): Promise<BoardWriteOutcome> =>
  client.writeBoard(BOARD_KEY, board.json, board.epoch, board.version, BOARD_TTL_SECONDS, BOARD_CHANNEL)

/** Whether a read failed because another tool put a value of another type under the key. The next write replaces it. */
export const isWrongType = (error: unknown): boolean =>
  error instanceof Error && error.message.startsWith("WRONGTYPE")
