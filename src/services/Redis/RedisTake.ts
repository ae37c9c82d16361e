import type { Redis as Client, Result } from "ioredis"
import type { Bucket, Taken } from "./Redis.ts"
import { nameOf } from "./RedisBucket.ts"

/**
 * `takeFrom` inside Redis, on the clock of Redis, so that all processes count by one. One key, so that it also runs on
 * a cluster; it goes away when the bucket is full. A number is written in full: the default keeps 14 digits.
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
    /** Defined by `defineTake`; gives allowed (1 or 0), remaining, wait in ms. */
    takeFromBucket(
      key: string,
      burst: number,
      refillMicros: number,
    ): Result<readonly [allowed: number, remaining: number, waitMillis: number], Context>
  }
}

/** Teaches a connection the script. */
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
