import { assert, describe, it } from "@effect/vitest"
import { ownPlace } from "../../../web/src/board/ownPlace.ts"

const board = (...places: ReadonlyArray<readonly [email: string, score: number]>) =>
  places.map(([email, score]) => ({ email, score }))
const ada = (score?: number) => ({ email: "ada@example.com", score })

describe("ownPlace", () => {
  it("finds the address however it is typed, and nobody for a stranger", () => {
    const scores = board(["bob@example.com", 9], ["Ada@Example.com", 5])
    assert.strictEqual(ownPlace(scores, ada()), 1)
    assert.strictEqual(ownPlace(scores, { email: "cy@example.com", score: 9 }), -1)
    assert.strictEqual(ownPlace(scores, undefined), -1)
  })

  it("tells players of one masked address apart by the score, a few presses away at most", () => {
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

  it("takes no mask for an address that is shorter than what it shows", () => {
    assert.strictEqual(ownPlace(board(["a\u2026a@x", 5]), { email: "a@x", score: 5 }), -1)
  })
})
