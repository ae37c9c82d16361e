import { assert, describe, it } from "@effect/vitest"
import { describeChange } from "../../../web/src/live/describeChange.ts"

const isolated = (name: string) => `\u2068${name}\u2069`
const nobody = { at: undefined, scoreBefore: undefined }

const board = (scores: Record<string, number>) =>
  Object.entries(scores).map(([email, score]) => ({ email, score }))

describe("describeChange", () => {
  it("says nothing when scores rise and nobody moves", () => {
    assert.isUndefined(describeChange(board({ ada: 5, bob: 3 }), board({ ada: 6, bob: 4 }), nobody))
  })

  it("names a new leader", () => {
    const sentence = describeChange(board({ ada: 5, bob: 4 }), board({ bob: 6, ada: 5 }), nobody)
    assert.strictEqual(sentence, `${isolated("bob")} leads with a score of 6.`)
  })

  it("names characters of an address that nobody would hear", () => {
    const sentence = describeChange(board({ ada: 5 }), board({ "\u202ebob@x": 6, ada: 5 }), nobody)
    assert.strictEqual(sentence, `${isolated("[U+202E]bob")}@\u2066x\u2069 leads with a score of 6.`)
  })

  it("names the player who moved up furthest, also from outside the top 10", () => {
    const before = board({ ada: 9, bob: 5, cy: 4, di: 3 })
    assert.strictEqual(
      describeChange(before, board({ ada: 9, di: 6, bob: 5, cy: 4 }), nobody),
      `${isolated("di")} moves up to rank 2.`,
    )
    assert.strictEqual(
      describeChange(before, board({ ada: 9, eve: 8, bob: 5, cy: 4 }), nobody),
      `${isolated("eve")} moves up to rank 2.`,
    )
  })

  it("tells viewers their own score and rank", () => {
    assert.strictEqual(
      describeChange(board({ ada: 5, Bob: 3 }), board({ ada: 5, Bob: 4 }), { at: 1, scoreBefore: 3 }),
      "Your score is 4, rank 2.",
    )
    assert.strictEqual(
      describeChange(board({ ada: 5, bob: 3 }), board({ ada: 5, cy: 4 }), { at: -1, scoreBefore: 3 }),
      "You dropped out of the top 10.",
    )
    assert.strictEqual(
      describeChange(board({ ada: 5, cy: 3 }), board({ ada: 5, bob: 4 }), { at: 1, scoreBefore: null }),
      "Your score is 4, rank 2.",
    )
  })

  it("does not say that viewers dropped out, or what they have, while their row is unknown", () => {
    const before = board({ ada: 5, bob: 3 })
    assert.isUndefined(describeChange(before, board({ ada: 5 }), { at: undefined, scoreBefore: 3 }))
    assert.isUndefined(describeChange(before, board({ ada: 5, bob: 4 }), { at: 1, scoreBefore: undefined }))
  })
})
