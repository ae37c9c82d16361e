import { assert, describe, it } from "@effect/vitest"
import { readStampTag } from "../../../src/client/Stamp.ts"

describe("readStampTag", () => {
  it.each([
    ['"e-5"', { epoch: "e", version: 5 }],
    ['"e-0"', { epoch: "e", version: 0 }],
    ['W/"e-5"', { epoch: "e", version: 5 }],
    ['"e-5-masked"', { epoch: "e", version: 5 }],
    ['"e-5-gzip"', { epoch: "e", version: 5 }],
    ['W/"e-5-masked-br"', { epoch: "e", version: 5 }],
    ['"e-5--gzip"', { epoch: "e", version: 5 }],
    ['"e-5;gzip"', { epoch: "e", version: 5 }],
    ['"e-5"-gzip', { epoch: "e", version: 5 }],
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
    '"e-5-gzip-gzip-gzip"',
    '"e-5-other"',
    '"512-1034-unstamped-gzip"',
    '"e-5" ',
    'w/"e-5"',
    '"e"-5"',
    '"512-1034-unstamped"',
  ])("takes %s for no stamp", (etag) => {
    assert.isUndefined(readStampTag(etag))
  })
})
