import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { pageLimit } from "../../../src/domain/IntegerText.ts"

const limit = pageLimit(100)
const accepts = Schema.is(Schema.toEncoded(limit))
const decode = Schema.decodeUnknownSync(limit)

describe("pageLimit", () => {
  it("reads decimal digits", () => {
    for (const [text, value] of [
      ["1", 1],
      ["9", 9],
      ["10", 10],
      ["100", 100],
    ] as const) {
      assert.strictEqual(decode(text), value)
      assert.strictEqual(Schema.encodeSync(limit)(value), text)
    }
  })

  it("refuses every other way to write a number", () => {
    const others = [
      "",
      " ",
      " 5",
      "5 ",
      "5\n",
      "+5",
      "-5",
      "05",
      "0x10",
      "0b1",
      "1e2",
      "5.0",
      "5.",
      ".5",
      "1_0",
    ]
    for (const text of [...others, "٥", "５", "Infinity", "NaN", "null", "five"]) {
      assert.isFalse(accepts(text), JSON.stringify(text))
      assert.throws(() => decode(text), undefined, undefined, JSON.stringify(text))
    }
  })

  it("refuses what is out of range", () => {
    for (const text of ["0", "101", "1000", "9".repeat(400)]) assert.throws(() => decode(text))
  })
})
