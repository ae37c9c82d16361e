import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { makeBuckets, takeFrom } from "../../../../src/services/Redis/RedisBucket.ts"

const Millis = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 500 }))
const Attempts = Schema.Array(Millis).check(Schema.isMaxLength(200))
const Burst = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 30 }))

const bucketOf = (who: string, burst: number, refillMicros: number) => ({
  kind: "test",
  who,
  burst,
  refillMicros,
})

describe("a bucket", () => {
  it.effect.prop(
    "never allows more in any span of time than it holds and wins back in it",
    [Attempts, Burst],
    ([pauses, burst]) =>
      Effect.sync(() => {
        const bucket = bucketOf("a", burst, 100_000)
        const take = makeBuckets(10)
        let now = 0
        const allowedAt: Array<number> = []
        for (const pause of pauses) {
          now += pause * 1000
          if (take(bucket, now).allowed) allowedAt.push(now)
        }
        for (const [first, from] of allowedAt.entries()) {
          for (const [last, to] of allowedAt.entries()) {
            if (last < first) continue
            assert.isAtMost(last - first + 1, burst + (to - from) / bucket.refillMicros)
          }
        }
      }),
  )

  it.effect.prop("allows the next attempt after the time it says, and not before", [Attempts], ([pauses]) =>
    Effect.sync(() => {
      const bucket = bucketOf("a", 3, 100_000)
      let full = 0
      let now = 0
      for (const pause of pauses) {
        now += pause * 1000
        const { full: next, taken } = takeFrom(full, now, bucket)
        if (next !== undefined) full = next
        assert.strictEqual(taken.remaining > 0, taken.waitMillis === 0)
        if (taken.waitMillis === 0) continue
        assert.isTrue(takeFrom(full, now + taken.waitMillis * 1000, bucket).taken.allowed)
        assert.isFalse(takeFrom(full, now + (taken.waitMillis - 1) * 1000 - 1, bucket).taken.allowed)
      }
    }),
  )

  it("counts a time further ahead than an empty bucket as empty", () => {
    const { taken } = takeFrom(Number.MAX_SAFE_INTEGER, 0, bucketOf("a", 3, 100_000))
    assert.deepStrictEqual(taken, { allowed: false, remaining: 0, waitMillis: 100 })
  })
})

describe("buckets in a process", () => {
  it("are bounded: the one used least recently is full again", () => {
    const take = makeBuckets(2)
    const once = (who: string) => take(bucketOf(who, 1, 1_000_000), 0).allowed
    assert.deepStrictEqual([once("a"), once("b"), once("a"), once("c")], [true, true, false, true])
    assert.deepStrictEqual([once("b"), once("a")], [false, true])
  })
})
