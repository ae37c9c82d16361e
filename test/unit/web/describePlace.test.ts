import { assert, describe, it } from "@effect/vitest"
import { formatCount, formatCrowd, formatOrdinal, formatPercentile } from "../../../web/src/format.ts"
import { describePlace } from "../../../web/src/player/describePlace.ts"

const crowd = formatCrowd(1_234_567)
const ranked = (rank: number, percentile: number) => ({ rank, players: 1_234_567, percentile })

describe("describePlace", () => {
  it.each([
    [3, undefined, "3rd place"],
    [undefined, undefined, "Outside the top 10"],
    [3, ranked(3, 0.0003), `3rd of ${crowd}`],
    // Two players share rank 3, and the board shows the other one first.
    [4, ranked(3, 0.0003), `4th of ${crowd}`],
    [undefined, ranked(4_213, 0.341), `${formatCount(4_213)}th of ${crowd}, top ${formatPercentile(0.341)}`],
    [undefined, ranked(900_000, 72.9), `${formatCount(900_000)}th of ${crowd}`],
  ] as const)("tells place %s and rank %j as %j", (place, rank, text) => {
    assert.strictEqual(describePlace(place, rank, 7), text)
  })

  it("tells a player without points that they are not on the board yet", () => {
    assert.strictEqual(describePlace(undefined, undefined, 0), "Not on the board yet")
  })
})

describe("formatOrdinal", () => {
  it.each(["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th"])(
    "says %s",
    (text) => {
      assert.strictEqual(formatOrdinal(parseInt(text)), text)
    },
  )
})

describe("formatPercentile", () => {
  it("rounds up to two significant digits", () => {
    const percent = (digits: number, value: number) =>
      new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: digits }).format(value)
    assert.strictEqual(formatPercentile(0.341), percent(2, 0.0035))
    assert.strictEqual(formatPercentile(12.01), percent(0, 0.13))
    assert.strictEqual(formatPercentile(100), percent(0, 1))
  })
})
