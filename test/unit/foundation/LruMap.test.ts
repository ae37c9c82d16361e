import { assert, describe, it } from "@effect/vitest"
import { LruMap } from "../../../src/foundation/LruMap.ts"

describe("LruMap", () => {
  it("evicts the entry used least recently, where reading is a use and peeking is none", () => {
    const map = new LruMap<string, number>(2)
    map.set("a", 1)
    map.set("b", 2)
    assert.strictEqual(map.get("a"), 1)
    assert.strictEqual(map.peek("b"), 2)
    map.set("c", 3)
    assert.isUndefined(map.get("b"))
    assert.strictEqual(map.get("a"), 1)
    assert.strictEqual(map.get("c"), 3)
  })

  it("counts a key that is set again once", () => {
    const map = new LruMap<string, number>(2)
    map.set("a", 1)
    map.set("b", 2)
    map.set("b", 3)
    assert.strictEqual(map.get("a"), 1)
    assert.strictEqual(map.get("b"), 3)
    map.delete("b")
    assert.isUndefined(map.get("b"))
  })
})
