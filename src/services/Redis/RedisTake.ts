import type { Redis as Client, Result } from "ioredis"
import type { Bucket, Taken } from "./Redis.ts"
import { nameOf } from "./RedisBucket.ts"

/**
 * `takeFrom` inside Redis, on the clock of Redis, so that all processes use one clock. It uses one key, so it also runs
 * on a cluster; the key expires when the bucket is full. `%.0f` writes a number in full: the default has 14 digits.
 */
const TAKE = `
local burst, refill = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local capacity = burst * refill
local from = math.min(math.max(tonumber(redis.call('GET', KEYS[1])) or now, now), now + capacity)
local allowed = from + refill - now <= capacity
local after = from
if allowed then
  after = from + refill
  redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000))
end
local remaining = math.floor((now + capacity - after) / refill)
local wait = 0
if remaining <= 0 then
  wait = math.ceil((after + refill - now - capacity) / 1000)
end
return { allowed and 1 or 0, remaining, wait }
`

declare module "ioredis" {
  interface RedisCommander<Context> {
    /** Defined by `defineTake`; gives allowed (1 or 0), remaining tokens, and the wait in milliseconds. */
    takeFromBucket(
      key: string,
      burst: number,
      refillMicros: number,
    ): Result<readonly [allowed: number, remaining: number, waitMillis: number], Context>
  }
}

/** Defines the script for a connection. */
export const defineTake = (client: Client): void =>
  client.defineCommand("takeFromBucket", { lua: TAKE, numberOfKeys: 1 })

/** Runs the script. */
export const runTake = async (client: Client, bucket: Bucket): Promise<Taken> => {
  const [allowed, remaining, waitMillis] = await client.takeFromBucket(
    nameOf(bucket),
    bucket.burst,
    bucket.refillMicros,
  )
  return { allowed: allowed === 1, remaining, waitMillis }
}
