import { assert, describe, it } from "@effect/vitest"
import { describeProgress } from "../../../../src/programs/admin/ImportProgress.ts"

describe("The progress of an import", () => {
  it("says lines, rate, share and what is left", () => {
    assert.strictEqual(
      describeProgress({ lines: 12_000, seconds: 10, read: 500, size: 10_000 }),
      "12,000 lines, 1,200 a second, 5 % of the file, about 3 min left",
    )
    assert.strictEqual(
      describeProgress({ lines: 9, seconds: 2, read: 100, size: 100 }),
      "9 lines, 5 a second, 100 % of the file, about 0 s left",
    )
    assert.strictEqual(
      describeProgress({ lines: 0, seconds: 0, read: 0, size: 100 }),
      "0 lines, 0 a second, 0 % of the file",
    )
  })
})
