import { assert, describe, it } from "@effect/vitest"
import { makePace } from "../../../../src/programs/increment/Pace.ts"

const setup = () => makePace({ committers: 2, batchRows: 100 })

/** Both committers commit batches of this length, one after the other, until the pace has settled. */
const settled = (millis: number) => {
  const pace = setup()
  for (let n = 0; n < 20; n++) {
    pace.begin(n % 2, n * millis)
    pace.end(n % 2, (n + 1) * millis, "answered")
  }
  return { pace, nowMillis: 20 * millis }
}

describe("Pace", () => {
  it("lets nobody wait while a committer is idle", () => {
    assert.strictEqual(setup().waitMillis(0, 0), 0)
    const { pace, nowMillis } = settled(250)
    pace.begin(0, nowMillis)
    assert.strictEqual(pace.waitMillis(0, nowMillis), 0)
  })

  it("gives the requests ahead, divided by the rows of a second", () => {
    const { pace, nowMillis } = settled(250)
    for (const committer of [0, 1]) pace.begin(committer, nowMillis)
    assert.approximately(pace.waitMillis(799, nowMillis), 1000, 1)
  })

  it("believes a commit in flight that lasts longer than usual", () => {
    const { pace, nowMillis } = settled(10)
    for (const committer of [0, 1]) pace.begin(committer, nowMillis)
    assert.isBelow(pace.waitMillis(50, nowMillis), 10)
    assert.isAbove(pace.waitMillis(50, nowMillis + 2_200), 1000)
    // One committer that is stuck does not stop the other.
    pace.end(1, nowMillis + 2_200, "locked")
    pace.begin(1, nowMillis + 2_200)
    assert.isBelow(pace.waitMillis(50, nowMillis + 2_200), 20)
  })

  it("lets in only what an idle committer takes after a commit without an answer, until one is answered", () => {
    const { pace, nowMillis } = settled(10)
    for (const committer of [0, 1]) pace.begin(committer, nowMillis)
    pace.end(0, nowMillis + 2_500, "unavailable")
    assert.isTrue(pace.isOutage)
    assert.strictEqual(pace.waitMillis(0, nowMillis + 2_500), 0)
    pace.begin(0, nowMillis + 2_500)
    assert.isAbove(pace.waitMillis(0, nowMillis + 2_500), 1000)
    pace.end(0, nowMillis + 2_510, "answered")
    assert.isFalse(pace.isOutage)
    assert.strictEqual(pace.commitMillis, 10)
  })
})
