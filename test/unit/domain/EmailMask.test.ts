import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { maskEmail } from "../../../src/domain/EmailMask.ts"

describe("maskEmail", () => {
  it("keeps the first and the last letter and the domain", () => {
    assert.strictEqual(maskEmail("alice@example.com"), "a…e@example.com")
    assert.strictEqual(maskEmail("abc@example.com"), "a…c@example.com")
  })

  it("shows no more than one letter of a short name", () => {
    assert.strictEqual(maskEmail("ab@example.com"), "a…@example.com")
    assert.strictEqual(maskEmail("a@example.com"), "a…@example.com")
    assert.strictEqual(maskEmail("@example.com"), "…@example.com")
    assert.strictEqual(maskEmail(""), "…")
  })

  it("masks a name that is no address, and takes the last @ for the domain's", () => {
    assert.strictEqual(maskEmail("player-one"), "p…e")
    assert.strictEqual(maskEmail('"a@b"@example.com'), '"…"@example.com')
    assert.strictEqual(maskEmail("😀lf😎@example.com"), "😀…😎@example.com")
  })

  it.effect.prop("shows two letters of a name at the most, however long it is", [Schema.String], ([name]) =>
    Effect.sync(() => {
      const local = maskEmail(`${name.replaceAll("@", "x")}@d`).slice(0, -2)
      assert.isAtMost(Array.from(local).length, 3)
    }),
  )
})
