import { assert, describe, it } from "@effect/vitest"
import { makeImportPace } from "../../../../src/programs/admin/ImportPace.ts"

describe("The pace of an import", () => {
  it("finds the size whose transactions last 40 ms, whatever one score costs, and pauses for as long", () => {
    for (const [costMillis, size] of [
      [0.1, 400],
      [0.4, 100],
      [2, 20],
    ] as const) {
      const pace = makeImportPace()
      for (let n = 0; n < 10; n++) {
        const millis = pace.size() * costMillis
        assert.strictEqual(pace.pauseMillis(pace.size(), millis), millis)
      }
      assert.strictEqual(pace.size(), size)
    }
  })

  it("keeps within its bounds, and one slow transaction halves it at most", () => {
    const pace = makeImportPace()
    for (let n = 0; n < 10; n++) pace.pauseMillis(pace.size(), 0)
    assert.strictEqual(pace.size(), 1000)
    pace.pauseMillis(1000, 60_000)
    assert.strictEqual(pace.size(), 500)
    for (let n = 0; n < 10; n++) pace.pauseMillis(pace.size(), 60_000)
    assert.strictEqual(pace.size(), 10)
  })
})
