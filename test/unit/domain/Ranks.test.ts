import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { PageCursor, percentileOf, ranksOf } from "../../../src/domain/Ranks.ts"

describe("ranksOf", () => {
  const scores = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 6 })))
  const cut = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 12 }))

  it.effect.prop(
    "gives any stretch of any board the ranks of the whole board",
    [scores, cut, cut],
    ([all, from, length]) =>
      Effect.sync(() => {
        const board = all.toSorted((a, b) => b - a).map((score) => ({ score }))
        const ahead = (score: number | undefined) =>
          board.filter((one) => score !== undefined && one.score > score).length
        const stretch = board.slice(from, from + length)
        const [first, second] = [...new Set(stretch.map(({ score }) => score))]
        assert.deepStrictEqual(
          ranksOf(stretch, ahead(first), ahead(second)),
          stretch.map(({ score }) => 1 + ahead(score)),
        )
      }),
  )
})

describe("percentileOf", () => {
  it("is 100 × rank ÷ players, at most 100, also when nobody has a point", () => {
    assert.strictEqual(percentileOf(1, 1000), 0.1)
    assert.strictEqual(percentileOf(1000, 1000), 100)
    assert.strictEqual(percentileOf(1001, 1000), 100)
    assert.strictEqual(percentileOf(1, 0), 100)
  })
})

describe("PageCursor", () => {
  const isCursor = Schema.is(PageCursor)

  it("is a score, an event and a number of rows that PostgreSQL can take", () => {
    for (const good of ["0.0.1", "9007199254740991.999999999999999999.1", "7.-1.12"])
      assert.isTrue(isCursor(good))
    for (const bad of [
      "",
      "1",
      "1.2",
      "-1.2.3",
      "1.2.3.4",
      "01.2.3",
      "1.9999999999999999999.1",
      "1.2.99999999",
      "1.2.3 ",
      "1.2.x",
    ]) {
      assert.isFalse(isCursor(bad), bad)
    }
  })
})
