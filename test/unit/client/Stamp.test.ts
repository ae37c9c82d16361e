import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { readStampTag, type Stamp, versionsAhead } from "../../../src/client/Stamp.ts"
import { supersedes } from "../../../src/domain/Messages.ts"

describe("readStampTag", () => {
  it.each([
    ['"e-5"', { epoch: "e", version: 5 }],
    ['"e-0"', { epoch: "e", version: 0 }],
    ['W/"e-5"', { epoch: "e", version: 5 }],
    ['"e-5-masked"', { epoch: "e", version: 5 }],
    [
      '"0e2a1f0c-5d0e-4d4e-8f7b-1c2d3e4f5a6b-1204"',
      { epoch: "0e2a1f0c-5d0e-4d4e-8f7b-1c2d3e4f5a6b", version: 1204 },
    ],
  ])("reads %s", (etag, stamp) => {
    assert.deepStrictEqual(readStampTag(etag), stamp)
  })

  it.each([
    null,
    "",
    "e-5",
    '"5"',
    '"-5"',
    '"e-"',
    '"e-05"',
    '"e-5.5"',
    '"e-5e3"',
    '"e-9007199254740993"',
    '"e-5-gzip"',
    '"e-5" ',
    'w/"e-5"',
    '"e"-5"',
    '"512-1034-unstamped"',
  ])("takes %s for no stamp", (etag) => {
    assert.isUndefined(readStampTag(etag))
  })
})

const MaybeStamp = Schema.UndefinedOr(
  Schema.Struct({
    epoch: Schema.Literals(["one", "two"]),
    version: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3 })),
  }),
)

describe("versionsAhead", () => {
  it.effect.prop(
    "forbids what the server's own rule forbids, and an equal version",
    [MaybeStamp, MaybeStamp],
    ([next, shown]) =>
      Effect.sync(() => {
        const update = (stamp: Stamp | undefined) => ({ scores: [], ...stamp })
        const ahead = versionsAhead(next, shown)
        assert.strictEqual(ahead === undefined || ahead > 0, supersedes(update(next), update(shown)))
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
