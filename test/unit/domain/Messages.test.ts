import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import {
  BoardUpdateJson,
  encodeIncrement,
  encodePublicBoard,
  encodeStampedBoard,
} from "../../../src/domain/Messages.ts"
import { Score, UserId } from "../../../src/domain/Score.ts"

describe("encodeIncrement", () => {
  it("is the brief's payload, byte for byte", () => {
    assert.strictEqual(
      encodeIncrement({ userId: UserId.make("u-1"), email: 'odd"address@example.com' }),
      '{"userId":"u-1","email":"odd\\"address@example.com","type":"score.increment"}',
    )
  })
})

describe("encodePublicBoard", () => {
  it.effect.prop(
    "shows exactly e-mail and score of every place, in order",
    [Schema.Array(Score)],
    ([scores]) =>
      Effect.sync(() => {
        assert.deepStrictEqual(JSON.parse(encodePublicBoard(scores)), {
          scores: scores.map(({ email, score }) => ({ email: email === "" ? "…" : email, score })),
        })
      }),
  )

  it("shows a player without an address as one of whom everything is masked", () => {
    const scores = [
      { email: "ada@example.com", score: 7 },
      { email: "", score: 6 },
    ]
    for (const [boardEmail, ada] of [
      ["full", "ada@example.com"],
      ["masked", "a…a@example.com"],
    ] as const) {
      assert.strictEqual(
        encodePublicBoard(scores, boardEmail),
        `{"scores":[{"email":"${ada}","score":7},{"email":"…","score":6}]}`,
      )
    }
  })
})

describe("encodeStampedBoard", () => {
  it("puts epoch and version behind the public text, and nothing else", () => {
    const scores = [{ email: "ada@example.com", score: 7 }]
    assert.strictEqual(
      encodeStampedBoard({ scores, epoch: 'od"d', version: 3, committedAt: 1, publishedAt: 2 }),
      '{"scores":[{"email":"ada@example.com","score":7}],"epoch":"od\\"d","version":3}',
    )
    assert.strictEqual(
      encodeStampedBoard({ scores, epoch: "e", version: 3 }, "masked"),
      '{"scores":[{"email":"a…a@example.com","score":7}],"epoch":"e","version":3}',
    )
  })

  it("is the public text for a board without a stamp", () => {
    for (const half of [{}, { epoch: "e" }, { version: 3 }]) {
      assert.strictEqual(encodeStampedBoard({ scores: [], ...half }), '{"scores":[]}')
    }
  })
})

describe("BoardUpdateJson", () => {
  const decode = Schema.decodeUnknownEffect(BoardUpdateJson)

  it.effect("takes a board with and without a stamp", () =>
    Effect.gen(function* () {
      const bare = yield* decode('{"scores":[]}')
      const stamped = yield* decode(
        '{"scores":[{"email":"","score":0}],"epoch":"e","version":9007199254740991,"committedAt":0}',
      )
      assert.deepStrictEqual(bare, { scores: [] })
      assert.strictEqual(stamped.version, Number.MAX_SAFE_INTEGER)
    }),
  )

  const eleven = JSON.stringify({ scores: Array.from({ length: 11 }, () => ({ email: "a", score: 1 })) })
  for (const text of [
    "",
    "null",
    "[]",
    "{}",
    '{"scores":{}}',
    '{"scores":[{"email":"a"}]}',
    '{"scores":[{"email":"a","score":1.5}]}',
    '{"scores":[],"version":"1"}',
    eleven,
  ]) {
    it.effect(`refuses ${text.slice(0, 40) || "an empty text"}`, () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* Effect.flip(decode(text)))._tag, "SchemaError")
      }),
    )
  }
})
