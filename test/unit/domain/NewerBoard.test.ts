import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { isOlder, supersedes, versionsAhead } from "../../../src/domain/NewerBoard.ts"
import type { BoardUpdate } from "../../../src/domain/Messages.ts"

const MaybeStamp = Schema.UndefinedOr(
  Schema.Struct({
    epoch: Schema.Literals(["one", "two"]),
    version: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3 })),
  }),
)

describe("versionsAhead", () => {
  it.effect.prop(
    "agrees with supersedes and isOlder about every pair of boards",
    [MaybeStamp, MaybeStamp],
    ([next, shown]) =>
      Effect.sync(() => {
        const board = (stamp: typeof next): BoardUpdate => ({ scores: [], ...stamp })
        const ahead = versionsAhead(next, shown)
        assert.strictEqual(ahead === undefined || ahead > 0, supersedes(board(next), board(shown)))
        assert.strictEqual(ahead !== undefined && ahead < 0, isOlder(board(next), board(shown)))
        assert.strictEqual(ahead, versionsAhead(board(next), board(shown)))
      }),
  )

  it("tells how far a board is ahead or behind within an epoch", () => {
    const at = (version: number, epoch = "e") => ({ epoch, version })
    assert.strictEqual(versionsAhead(at(7), at(4)), 3)
    assert.strictEqual(versionsAhead(at(4), at(7)), -3)
    assert.strictEqual(versionsAhead(at(4), at(4)), 0)
    assert.isUndefined(versionsAhead(at(4), at(7, "restored")))
    assert.isUndefined(versionsAhead(undefined, at(7)))
    assert.isUndefined(versionsAhead(at(4), undefined))
  })
})

describe("supersedes", () => {
  const board = (epoch: string, version: number): BoardUpdate => ({
    scores: [],
    epoch,
    version,
    committedAt: 0,
  })
  const bare: BoardUpdate = { scores: [] }

  it("lets a larger version of the same epoch pass, and nothing else of it", () => {
    assert.isTrue(supersedes(board("a", 2), board("a", 1)))
    assert.isFalse(supersedes(board("a", 1), board("a", 1)))
    assert.isFalse(supersedes(board("a", 1), board("a", 2)))
  })

  it("lets another epoch and a board without a stamp pass, in both directions", () => {
    assert.isTrue(supersedes(board("b", 1), board("a", 2)))
    assert.isTrue(supersedes(bare, board("a", 2)))
    assert.isTrue(supersedes(board("a", 1), bare))
  })
})
