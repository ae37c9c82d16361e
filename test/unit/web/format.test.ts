import { assert, describe, it } from "@effect/vitest"
import { formatAge } from "../../../web/src/format.ts"

const ages = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" })

describe("formatAge", () => {
  it.each([
    [-5, 0, "second"],
    [999, 0, "second"],
    [1_000, 1, "second"],
    [59_999, 59, "second"],
    [60_000, 1, "minute"],
    [3_599_999, 59, "minute"],
    [3_600_000, 1, "hour"],
    [86_400_000 * 3, 3, "day"],
  ] as const)("tells %i ms as %i of unit %s", (ageMs, count, unit) => {
    assert.strictEqual(formatAge(ageMs), ages.format(-count, unit))
  })
})
