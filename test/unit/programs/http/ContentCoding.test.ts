import { assert, describe, it } from "@effect/vitest"
import { type Coding, preferredCoding } from "../../../../src/programs/http/ContentCoding.ts"

describe("preferredCoding", () => {
  const asked: ReadonlyArray<readonly [string | undefined, Coding | undefined, string]> = [
    [undefined, undefined, "nothing is said"],
    ["", undefined, "nothing but the file as it is"],
    ["gzip, deflate, br, zstd", "br", "what browsers say"],
    ["gzip, deflate", "gzip", "what browsers say without TLS"],
    ["deflate, zstd", undefined, "none of ours"],
    ["br;q=0.5, gzip;q=0.8", "gzip", "the heavier"],
    ["gzip;q=0.8, br;q=0.8", "br", "among equals the smaller"],
    ["br;q=0, gzip", "gzip", "0 is a refusal"],
    ["br;q=0, gzip;q=0.000", undefined, "all refused"],
    ["*", "br", "anything"],
    ["*;q=0", undefined, "nothing else"],
    ["br;q=0, *", "gzip", "anything else"],
    ["gzip;q=0.5, *;q=0.9", "br", "anything else, rather"],
    ["identity, br;q=0.5", undefined, "the file as it is, rather"],
    ["identity;q=0.5, gzip;q=0.5", "gzip", "either"],
    ["identity;q=0, gzip;q=0.1", "gzip", "not the file as it is"],
    ["GZip ; Q=1.0", "gzip", "in any case, with blanks"],
    ["br;q=2, br;level=11, ;q=1, gzip;q=0.1", "gzip", "what makes no sense is passed over"],
    [",,", undefined, "only commas"],
  ]
  for (const [header, coding, why] of asked) {
    it(`gives ${coding ?? "the file as it is"} for ${JSON.stringify(header)}: ${why}`, () => {
      assert.strictEqual(preferredCoding(header), coding)
    })
  }
})
