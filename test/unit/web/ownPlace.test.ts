import { assert, describe, it } from "@effect/vitest"
import { ownPlace } from "../../../web/src/board/ownPlace.ts"

const board = (...places: ReadonlyArray<readonly [email: string, score: number]>) =>
  places.map(([email, score]) => ({ email, score }))
const ada = (score?: number) => ({ email: "ada@example.com", score })

describe("ownPlace", () => {
  it("finds the address in upper or lower case, and no row for anyone else", () => {
    const scores = board(["bob@example.com", 9], ["Ada@Example.com", 5])
    assert.strictEqual(ownPlace(scores, ada()), 1)
    assert.strictEqual(ownPlace(scores, { email: "cy@example.com", score: 9 }), -1)
    assert.strictEqual(ownPlace(scores, undefined), -1)
  })

  it("tells players with the same masked address apart by their scores, which may differ by a few presses", () => {
    const scores = board(
      ["a\u2026a@example.com", 90],
      ["b\u2026b@example.com", 60],
      ["a\u2026a@example.com", 50],
    )
    assert.strictEqual(ownPlace(scores, ada(90)), 0)
    assert.strictEqual(ownPlace(scores, ada(53)), 2)
    assert.strictEqual(ownPlace(scores, ada(20)), -1)
    assert.strictEqual(ownPlace(scores, ada()), -1)
  })

  it("does not match a mask that shows more characters than the address has", () => {
    assert.strictEqual(ownPlace(board(["a\u2026a@x", 5]), { email: "a@x", score: 5 }), -1)
  })
})
