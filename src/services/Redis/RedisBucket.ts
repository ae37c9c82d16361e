import { hash } from "node:crypto"
import type { Redis as Client, Result } from "ioredis"

/** A token bucket: how fast it fills and how much it holds. */
export interface Bucket {
  /** What is limited. */
  readonly kind: string
  /** Who is: an id, an address, an e-mail; only a hash of it is kept. */
  readonly who: string
  /** How many it holds when it is full. */
  readonly burst: number
  /** How long it takes to win one back, in microseconds. */
  readonly refillMicros: number
}

const nameOf = ({ kind, who }: Bucket): string => `limit:${kind}:${hash("sha256", who, "base64url")}`

/** What became of one attempt. */
export interface Taken {
  readonly allowed: boolean
  /** Attempts that would be allowed right now. */
  readonly remaining: number
  /** Until the next one is allowed, in milliseconds; 0 while some remain. */
  readonly waitMillis: number
}

/**
 * The bucket as one number (GCRA): `full`, the time at which it will be full again. Gives the new one, or none when
 * the attempt is refused. A time further ahead than an empty bucket (other limits were set) counts as empty.
 */
export const takeFrom = (
  full: number,
  now: number,
  bucket: Bucket,
): { readonly full: number | undefined; readonly taken: Taken } => {
  const capacity = bucket.burst * bucket.refillMicros
  const from = Math.min(Math.max(full, now), now + capacity)
  const allowed = from + bucket.refillMicros - now <= capacity
  const after = allowed ? from + bucket.refillMicros : from
  const remaining = Math.floor((now + capacity - after) / bucket.refillMicros)
  const waitMillis = remaining > 0 ? 0 : Math.ceil((after + bucket.refillMicros - now - capacity) / 1000)
  return { full: allowed ? after : undefined, taken: { allowed, remaining, waitMillis } }
}

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

/**
 * Buckets in this process: `capacity` of them, then the one used least recently is forgotten, that is full. `now` in
 * microseconds, of any clock that only goes forward.
 */
export const makeBuckets = (capacity: number) => {
  // A Map keeps its keys in the order in which they were set.
  const fullByName = new Map<string, number>()
  return (bucket: Bucket, now: number): Taken => {
    const name = nameOf(bucket)
    const { full, taken } = takeFrom(fullByName.get(name) ?? now, now, bucket)
    if (full === undefined) return taken
    fullByName.delete(name)
    fullByName.set(name, full)
    if (fullByName.size > capacity) {
      for (const oldest of fullByName.keys()) {
        fullByName.delete(oldest)
        break
      }
    }
    return taken
  }
}
