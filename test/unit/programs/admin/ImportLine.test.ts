import { assert, describe, it } from "@effect/vitest"
import { HIGHEST_SET_SCORE } from "../../../../src/domain/Score.ts"
import { readImportLine } from "../../../../src/programs/admin/ImportLine.ts"

const NOW = Date.UTC(2026, 0, 31)

const read = (values: Readonly<Record<string, string>>) =>
  readImportLine({ line: 7, values: { id: "a", score: "1", ...values } }, NOW)

const problemOf = (values: Readonly<Record<string, string>>) => {
  const line = read(values)
  assert.strictEqual(line.line, 7)
  return "problem" in line ? line.problem : undefined
}

const reachedAt = (text: string) => {
  const line = read({ reachedAt: text })
  return "score" in line ? line.score.reachedAtMicros : undefined
}

describe("A line of an import", () => {
  it("has a score that is an integer in one spelling, from 0 to the highest", () => {
    for (const score of ["0", "7", "1000000000", String(HIGHEST_SET_SCORE)]) {
      assert.isUndefined(problemOf({ score }), score)
    }
    const bad = [
      "-1",
      "+1",
      "1.0",
      "1e3",
      "007",
      "12abc",
      " 1",
      "1 ",
      "NaN",
      "Infinity",
      "0x10",
      "1_000",
      "١",
    ]
    for (const score of [...bad, String(HIGHEST_SET_SCORE + 1), "9".repeat(400)]) {
      assert.match(problemOf({ score }) ?? "", /^the score is not an integer/, score)
    }
  })

  it("has an id that a token can have", () => {
    assert.isUndefined(problemOf({ id: "é".repeat(255) }))
    for (const id of ["x".repeat(256), "a\nb", "a\0", "\uD800"])
      assert.match(problemOf({ id }) ?? "", /^the id/)
    const missing = readImportLine({ line: 7, values: { score: "1" } }, NOW)
    assert.deepStrictEqual(missing, { line: 7, problem: "the id is missing" })
    assert.deepStrictEqual(readImportLine({ line: 7, values: { id: "a" } }, NOW), {
      line: 7,
      problem: "the score is missing",
    })
  })

  it("has an address, or says what is wrong with it if one is needed", () => {
    for (const email of ["a@x", "é.b+c@example.com", `${"x".repeat(64)}@${"y".repeat(255)}`]) {
      const line = read({ email })
      assert.strictEqual("score" in line ? line.score.email : "", email)
    }
    for (const email of ["a", "@", "a@", "@x", "a b@x", "a@b@c", "a@x\n", `${"x".repeat(320)}@y`]) {
      const line = read({ email })
      assert.isTrue("score" in line && line.score.email === undefined, email)
      assert.match("score" in line ? (line.addressProblem ?? "") : "", /is not an address$/)
    }
    const none = read({})
    assert.match("score" in none ? (none.addressProblem ?? "") : "", /is missing$/)
  })

  it("was reached at a moment with a zone, to the microsecond", () => {
    const noon = Date.UTC(2024, 1, 29, 12) * 1000
    for (const [text, micros] of [
      ["2024-02-29T12:00:00Z", noon],
      ["2024-02-29T12:00:00.5z", noon + 500_000],
      ["2024-02-29 13:00:00.0000019+01", noon + 1],
      ["2024-02-29T06:30:00-05:30", noon],
      ["2024-02-29T14:00:00+0200", noon],
      ["2024-02-29 12:00:00 -00:00", noon],
      ["1970-01-01T00:00:00Z", 0],
    ] as const) {
      assert.strictEqual(reachedAt(text), micros, text)
    }
    for (const text of [
      "2024-02-30T12:00:00Z",
      "2024-02-29T24:00:00Z",
      "2024-02-29T12:60:00Z",
      "2024-02-29T12:00:00",
      "2024-02-29",
      "1709208000",
      "yesterday",
      "1969-12-31T23:59:59Z",
      "2099-01-01T00:00:00Z",
      "2024-02-29T12:00:00+25:00",
    ]) {
      assert.match(problemOf({ reachedAt: text }) ?? "", /^reachedAt is not a moment/, text)
    }
  })
})
