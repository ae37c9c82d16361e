import { assert, describe, it } from "@effect/vitest"
import { backoffMs, retryAfterSeconds } from "../../../src/client/Backoff.ts"

describe("backoffMs", () => {
  it("doubles its bound from 1 s to 30 s", () => {
    const bounds = [0, 1, 2, 3, 4, 5, 6, 1_100].map((failures) => backoffMs(failures, () => 1))
    assert.deepStrictEqual(bounds, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
  })

  it("spreads over the whole range below its bound", () => {
    assert.deepStrictEqual(
      [0, 0.25, 0.5].map((chance) => backoffMs(2, () => chance)),
      [0, 1_000, 2_000],
    )
  })
})

describe("retryAfterSeconds", () => {
  const now = Date.parse("2026-01-01T00:00:00Z")

  it.each([
    ["0", 0],
    ["7", 7],
    ["1.2", 2],
    ["-3", 0],
    ["999999", 3_600],
    ["Thu, 01 Jan 2026 00:00:30 GMT", 30],
    ["Wed, 31 Dec 2025 23:00:00 GMT", 0],
    ["", undefined],
    ["soon", undefined],
    [null, undefined],
  ])("reads %s as %s", (header, seconds) => {
    assert.strictEqual(retryAfterSeconds(header, now), seconds)
  })
})
