import { hash } from "node:crypto"
import { LruMap } from "../../foundation/LruMap.ts"
import type { Bucket, Taken } from "./Redis.ts"

/** The name under which a bucket is stored. */
export const nameOf = ({ kind, who }: Bucket): string => `limit:${kind}:${hash("sha256", who, "base64url")}`

/**
 * Takes one token. A bucket is one number (GCRA): `full`, the time at which it will be full again, in microseconds like
 * `now`. Gives the new number, or undefined if the attempt is refused. A time further ahead than that of an empty
 * bucket, which earlier limits may have left, counts as empty.
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
 * Buckets in this process, at most `capacity` of them. One more removes the bucket used least recently, which counts as
 * full from then on. `now` is in microseconds of any clock that only goes forward.
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
