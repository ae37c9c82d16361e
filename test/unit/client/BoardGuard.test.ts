import { assert, describe, it } from "@effect/vitest"
import { parseBoard, parseStampedBoard } from "../../../src/client/BoardGuard.ts"
import { encodePublicBoard, encodeStampedBoard } from "../../../src/domain/Messages.ts"
import { BOARD_SIZE } from "../../../src/domain/Score.ts"

const places = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ email: `player${index}@example.com`, score: count - index }))

describe("parseBoard", () => {
  it("reads what the server writes, from an empty board to a full one", () => {
    for (const count of [0, 1, BOARD_SIZE]) {
      assert.deepStrictEqual(parseBoard(encodePublicBoard(places(count))), places(count))
    }
  })

  it("drops unknown fields", () => {
    const text = JSON.stringify({ scores: [{ email: "a", score: 1, admin: true }], version: 7 })
    assert.deepStrictEqual(parseBoard(text), [{ email: "a", score: 1 }])
  })

  it("refuses a board with more places than a board has", () => {
    assert.isUndefined(parseBoard(JSON.stringify({ scores: places(BOARD_SIZE + 1) })))
  })

  it.each([
    ["binary data", new ArrayBuffer(2)],
    ["text that is no JSON", '{"scores":['],
    ["null", "null"],
    ["a list", "[]"],
    ["no scores", "{}"],
    ["scores that are no list", '{"scores":{"length":1}}'],
    ["a missing score", '{"scores":[{"email":"a"}]}'],
    ["a score in quotes", '{"scores":[{"email":"a","score":"1"}]}'],
    ["a fraction", '{"scores":[{"email":"a","score":1.5}]}'],
    ["a negative score", '{"scores":[{"email":"a","score":-1}]}'],
    ["a score beyond exact numbers", '{"scores":[{"email":"a","score":9007199254740993}]}'],
    ["an e-mail that is no text", '{"scores":[{"email":null,"score":1}]}'],
    ["one bad place among good ones", '{"scores":[{"email":"a","score":2},null]}'],
  ])("refuses %s", (_, data) => {
    assert.isUndefined(parseBoard(data))
  })
})

describe("parseStampedBoard", () => {
  it("reads what the server writes, stamped or not", () => {
    const scores = places(2)
    const stamp = { epoch: "e", version: 0 }
    assert.deepStrictEqual(parseStampedBoard(encodeStampedBoard({ scores, ...stamp })), { scores, stamp })
    assert.deepStrictEqual(parseStampedBoard(encodePublicBoard(scores)), { scores, stamp: undefined })
  })

  it.each([
    ["no epoch", { version: 1 }],
    ["no version", { epoch: "e" }],
    ["an empty epoch", { epoch: "", version: 1 }],
    ["an epoch that is no text", { epoch: 1, version: 1 }],
    ["a version in quotes", { epoch: "e", version: "1" }],
    ["a fraction", { epoch: "e", version: 1.5 }],
    ["a negative version", { epoch: "e", version: -1 }],
  ])("reads a board with %s as unstamped", (_, half) => {
    assert.deepStrictEqual(parseStampedBoard(JSON.stringify({ scores: [], ...half })), {
      scores: [],
      stamp: undefined,
    })
  })
})
