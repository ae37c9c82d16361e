import { assert, describe, it } from "@effect/vitest"
import { allowedOrigins, mistakeIn } from "../../../edge/src/Settings.ts"

const EDGE_SECRET = "edge-0123456789-0123456789-0123456789"
const ORIGIN = "https://origin.example.com"

describe("The edge's settings", () => {
  it("are complete with an origin and a secret", () => {
    assert.isUndefined(mistakeIn({ ORIGIN, EDGE_SECRET }))
    assert.isUndefined(mistakeIn({ ORIGIN: "http://127.0.0.1:8080", EDGE_SECRET }))
  })

  it.each([
    [{ ORIGIN }, /^EDGE_SECRET is not set$/],
    [{ ORIGIN, EDGE_SECRET: "" }, /^EDGE_SECRET is not set$/],
    [{ ORIGIN, EDGE_SECRET: "x".repeat(31) }, /^EDGE_SECRET is not valid/],
    [{ ORIGIN, EDGE_SECRET: `${EDGE_SECRET},${EDGE_SECRET}` }, /^EDGE_SECRET is not valid/],
    [{ ORIGIN, EDGE_SECRET: `${EDGE_SECRET}\n` }, /^EDGE_SECRET is not valid/],
    [{ EDGE_SECRET }, /^ORIGIN is not set$/],
    [{ ORIGIN: "origin.example.com", EDGE_SECRET }, /^ORIGIN is not valid/],
    [{ ORIGIN: `${ORIGIN}/`, EDGE_SECRET }, /^ORIGIN is not valid/],
    [{ ORIGIN: "https://user:pass@origin.example.com", EDGE_SECRET }, /^ORIGIN is not valid/],
    [{ ORIGIN: "ftp://origin.example.com", EDGE_SECRET }, /^ORIGIN is not valid/],
  ])("%o have a mistake, told in one line without the secret", (settings, expected) => {
    const line = mistakeIn(settings) ?? ""
    assert.match(line, expected)
    assert.notMatch(line, /\n|x{31}|edge-0/)
  })

  it("allow the origins that the API allows", () => {
    assert.deepStrictEqual(
      [...allowedOrigins({ CORS_ORIGINS: "https://a.example, https://b.example" })],
      ["https://a.example", "https://b.example"],
    )
    assert.strictEqual(allowedOrigins({}).size, 0)
  })
})
