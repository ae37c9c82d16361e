import { assert, describe, it } from "@effect/vitest"
import { makeModeration } from "../../../src/foundation/Moderation.ts"

const options = { longestMillis: 20, pausePerCost: 2, mergeMillis: 20 }

/** Events at even intervals through a moderated loop whose rounds last `costMillis`: the events of each round. */
const roundsOf = (eventsPerSecond: number, seconds: number, costMillis: number) => {
  const moderation = makeModeration(options)
  const arrivals = Array.from({ length: eventsPerSecond * seconds }, (_, n) => (n * 1000) / eventsPerSecond)
  const rounds: Array<number> = []
  let freeMillis = 0
  let waitMillis = 0
  for (let done = 0; done < arrivals.length;) {
    const first = arrivals[done] ?? 0
    const beganMillis = Math.max(freeMillis, first)
    waitMillis += beganMillis - first
    const events = arrivals.filter((at, n) => n >= done && at <= beganMillis).length
    done += events
    const endedMillis = beganMillis + costMillis
    freeMillis = endedMillis + moderation.pauseMillis({ events, beganMillis, endedMillis })
    rounds.push(events)
  }
  return { perSecond: rounds.length / seconds, meanWaitMillis: waitMillis / rounds.length }
}

describe("makeModeration", () => {
  it("does not pause after a lone event that cost nothing", () => {
    const moderation = makeModeration(options)
    for (const at of [1000, 2000, 5000])
      assert.strictEqual(moderation.pauseMillis({ events: 1, beganMillis: at, endedMillis: at }), 0)
  })

  it("pauses in proportion to what a round cost, and never longer than the longest pause", () => {
    for (const [cost, pause] of [
      [1, 2],
      [4, 8],
      [9.5, 19],
      [10, 20],
      [2500, 20],
    ] as const) {
      const round = { events: 1, beganMillis: 1000, endedMillis: 1000 + cost }
      assert.strictEqual(makeModeration(options).pauseMillis(round), pause)
    }
  })

  it("pauses as long as it may after a burst, and forgets the burst", () => {
    const moderation = makeModeration(options)
    const at = (millis: number, events: number) =>
      moderation.pauseMillis({ events, beganMillis: millis, endedMillis: millis })
    assert.strictEqual(at(1000, 100), 20)
    assert.strictEqual(at(1020, 1), 20)
    assert.strictEqual(at(2500, 1), 0)
  })

  it("works events off one by one while they are rare, and never more often than once a pause when they are not", () => {
    const rare = roundsOf(25, 4, 1)
    assert.isAtLeast(rare.perSecond, 24)
    assert.strictEqual(rare.meanWaitMillis, 0)
    // A tenth more: at the start the rate is not known yet.
    for (const rate of [200, 300, 1000, 5000])
      assert.isAtMost(roundsOf(rate, 4, 1).perSecond, (1000 / 21) * 1.1, String(rate))
  })

  it("never makes more than 1.6 rounds in the time that events may share, whatever their rate", () => {
    for (let rate = 10; rate <= 300; rate += 5)
      assert.isAtMost(roundsOf(rate, 4, 0).perSecond, (1.6 * 1000) / options.mergeMillis, String(rate))
    assert.isAtLeast(roundsOf(75, 4, 0).perSecond, 75)
  })

  it("goes on by the newest rate after hours of silence", () => {
    const moderation = makeModeration(options)
    moderation.pauseMillis({ events: 1_000_000, beganMillis: 0, endedMillis: 0 })
    assert.strictEqual(moderation.pauseMillis({ events: 1, beganMillis: 1e7, endedMillis: 1e7 }), 0)
  })
})
