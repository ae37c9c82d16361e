import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { addressOf, addressText } from "../../../web/src/address.ts"

/** One of each kind that draws nothing or moves others: C0, C1, soft hyphen, bidi, joiners, spaces, half a pair, fillers, tags. */
const UNSEEN = [
  "\0",
  "\n",
  "\u009b",
  "\u00a0",
  "\u00ad",
  "\u061c",
  "\u200b",
  "\u200d",
  "\u200f",
  "\u2028",
  "\u202e",
  "\u2066",
  "\u2069",
  "\u3000",
  "\u3164",
  "\ud800",
  "\ufe0f",
  "\ufeff",
  "\u{e0041}",
]
const SEEN = ["a", "Z", "7", ".", "+", " ", "é", "ش", "א", "漢", "😀"]

const part = Schema.Array(Schema.Literals([...SEEN, ...UNSEEN]))
const names = (text: string) =>
  text.replace(/\[U\+([0-9A-F]{4,6})\]/g, (_, hex: string) => String.fromCodePoint(parseInt(hex, 16)))

describe("An address", () => {
  it.prop(
    "shows every character once: as it is, or by its number if nobody would see it",
    { local: part, domain: part },
    ({ local, domain }) => {
      const email = `a${local.join("")}@${domain.join("")}`
      const shown = addressOf(email)
      assert.strictEqual(`${names(shown.local)}@${names(shown.domain ?? "")}`, email)
      const text = shown.local + shown.domain
      assert.isFalse(UNSEEN.some((unseen) => text.split(/(?:)/u).includes(unseen)))
      for (const seen of local.filter((character) => SEEN.includes(character)))
        assert.include(shown.local, seen)
    },
  )

  it.prop("stays in its own two isolates as a text", { local: part, domain: part }, ({ local, domain }) => {
    const text = addressText(`a${local.join("")}@${domain.join("")}`)
    assert.match(text, /^\u2068[^\u2066-\u2069]+\u2069@\u2066[^\u2066-\u2069]*\u2069$/)
  })

  it("is divided at the last @, and names what has none", () => {
    assert.deepStrictEqual(addressOf('"a@b"@c.example'), { local: '"a@b"', domain: "c.example" })
    assert.deepStrictEqual(addressOf("ada"), { local: "ada", domain: undefined })
    assert.deepStrictEqual(addressOf("@ada"), { local: "@ada", domain: undefined })
    assert.strictEqual(addressText("ada"), "\u2068ada\u2069")
    assert.deepStrictEqual(addressOf("moc.elpmaxe@\u202eada@x"), {
      local: "moc.elpmaxe@[U+202E]ada",
      domain: "x",
    })
  })
})
