import { hash } from "node:crypto"
import { LruMap } from "../../foundation/LruMap.ts"
import type { Bucket, Taken } from "./Redis.ts"

/** The name under which a bucket is kept. */
export const nameOf = ({ kind, who }: Bucket): string => `limit:${kind}:${hash("sha256", who, "base64url")}`

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
 * Buckets in this process: `capacity` of them, then the one used least recently is forgotten, that is full. `now` in
 * microseconds, of any clock that only goes forward.
 */
export const makeBuckets = (capacity: number) => {
  const fullByName = new LruMap<string, number>(capacity)
  return (bucket: Bucket, now: number): Taken => {
    const name = nameOf(bucket)
    const { full, taken } = takeFrom(fullByName.peek(name) ?? now, now, bucket)
    if (full !== undefined) fullByName.set(name, full)
    return taken
  }
}
