import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { ImportFile } from "../../../../src/services/ImportFile/ImportFile.ts"
import * as ImportFileNode from "../../../../src/services/ImportFile/ImportFileNode.ts"
import { temporaryFolder } from "../../../support/fixtures.ts"

const written = Effect.fnUntraced(function* (name: string, content: string | Buffer) {
  const path = join(yield* temporaryFolder, name)
  yield* Effect.promise(() => writeFile(path, content))
  return path
})

/** A file of this name and content, read to its end. */
const read = (name: string, content: string | Buffer) =>
  Effect.gen(function* () {
    const file = yield* (yield* ImportFile).open(yield* written(name, content))
    const records = (yield* Stream.runCollect(file.records)).flat()
    return { records, unused: yield* file.unusedNames, file }
  }).pipe(Effect.scoped)

/** Each record in short: its line, and its values or what is wrong. */
const inShort = (name: string, content: string | Buffer) =>
  Effect.map(read(name, content), ({ records }) =>
    records.map(({ line, ...rest }) => [
      line,
      rest.problem ?? Object.entries(rest.values).map(([field, value]) => `${field}=${value}`),
    ]),
  )

const failureOf = (name: string, content: string | Buffer) =>
  Effect.map(Effect.flip(read(name, content)), ({ message }) => message)

layer(ImportFileNode.layer, { excludeTestServices: true })("ImportFile", (it) => {
  it.effect("reads columns in any order, names those it does not know, and leaves out empty values", () =>
    Effect.gen(function* () {
      const csv =
        "\uFEFFscore, country ,id,reachedAt,email\r\n5,NO,a,,a@x\r\n\r\n7,SE,b,2026-01-31T12:00:00Z,\r\n"
      const { records, unused } = yield* read("players.CSV", csv)
      assert.deepStrictEqual(records, [
        { line: 2, values: { id: "a", email: "a@x", score: "5" } },
        { line: 4, values: { id: "b", score: "7", reachedAt: "2026-01-31T12:00:00Z" } },
      ])
      assert.deepStrictEqual(unused, ["country"])
    }),
  )

  it.effect("reads quoted values with commas, quotes and ends of lines, and counts lines by their ends", () =>
    Effect.gen(function* () {
      const csv = 'id,score,note\r\n"a,1",5,"says ""hi"""\r\nb,6,"one\r\ntwo\r\n\r\nfour"\r\nc,7,\r\n'
      assert.deepStrictEqual(yield* inShort("players.csv", csv), [
        [2, ["id=a,1", "score=5"]],
        [3, ["id=b", "score=6"]],
        [7, ["id=c", "score=7"]],
      ])
    }),
  )

  it.effect("leaves out only the line whose quotes or columns are wrong", () =>
    Effect.gen(function* () {
      const quotes = "its quotes are not those of CSV"
      const csv = [
        "id,score",
        '"a,1',
        "b,2",
        'c"x,3',
        '"d"y,4',
        'e,"5"',
        "f,6,7",
        "g",
        '"h,8',
        "i,9",
        '"j",10',
        "k,11",
      ].join("\n")
      assert.deepStrictEqual(yield* inShort("players.csv", csv), [
        [2, quotes],
        [3, ["id=b", "score=2"]],
        [4, quotes],
        [5, quotes],
        [6, ["id=e", "score=5"]],
        [7, "the number of its values is 3, that of the header 2"],
        [8, "the number of its values is 1, that of the header 2"],
        [9, quotes],
        [10, ["id=i", "score=9"]],
        [11, ["id=j", "score=10"]],
        [12, ["id=k", "score=11"]],
      ])
    }),
  )

  it.effect("reads on behind a quote that nobody closes, and behind a line of a megabyte", () =>
    Effect.gen(function* () {
      const many = Array.from({ length: 20_000 }, (_, n) => `player ${n},${n}`)
      const csv = ["id,score", '"open,1', ...many, `${"é".repeat(1_000_000)},1`, "last,1"].join("\n")
      const { records } = yield* read("players.csv", csv)
      assert.strictEqual(records.length, many.length + 3)
      assert.deepStrictEqual(records[0], { line: 2, problem: "its quotes are not those of CSV" })
      assert.deepStrictEqual(records.at(-3)?.line, 20_002)
      assert.deepStrictEqual(records.slice(-2), [
        { line: 20_003, problem: "it is longer than 65536 bytes" },
        { line: 20_004, values: { id: "last", score: "1" } },
      ])
    }),
  )

  it.effect("reads objects, one a line, with a number as it is written", () =>
    Effect.gen(function* () {
      const lines = [
        '\uFEFF{"id":"a","score":5,"email":"a@x","reachedAt":null,"tags":{"score":1}}',
        "",
        '{"id":"b","score":"6","country":"NO"}',
        '{"score":1e3,"id":"c"}',
        '{"score":9007199254740993,"id":"d"}',
        '{"id":7,"score":1}',
        '{"id":"e","score":true}',
        "[1]",
        '{"id":',
      ]
      assert.deepStrictEqual(yield* inShort("players.ndjson", lines.join("\r\n")), [
        [1, ["id=a", "email=a@x", "score=5"]],
        [3, ["id=b", "score=6"]],
        [4, ["id=c", "score=1e3"]],
        [5, ["id=d", "score=9007199254740993"]],
        [6, "id is not a text"],
        [7, "the score is not an integer"],
        [8, "it is not an object in JSON"],
        [9, "it is not an object in JSON"],
      ])
      assert.deepStrictEqual((yield* read("players.jsonl", lines.join("\n"))).unused, ["tags", "country"])
    }),
  )

  it.effect("gives the same records wherever the pieces of the file end", () =>
    Effect.gen(function* () {
      const rows = Array.from({ length: 30_000 }, (_, n) =>
        n % 7 === 0 ? `"é\n${n}",${n},"x, ""y"""` : `é${n},${n},`,
      )
      const { records } = yield* read("players.csv", ["id,score,note", ...rows].join("\n"))
      assert.strictEqual(records.length, rows.length)
      let line = 2
      for (const [n, record] of records.entries()) {
        const isQuoted = n % 7 === 0
        const id = isQuoted ? `é\n${n}` : `é${n}`
        assert.deepStrictEqual(record, { line, values: { id, score: String(n) } })
        line += isQuoted ? 2 : 1
      }
    }),
  )

  it.effect("says in one line why a file cannot be read", () =>
    Effect.gen(function* () {
      const header =
        "The first line must be a header that names the columns id and score, and email and reachedAt if there are any"
      for (const [name, content, message] of [
        ["players.csv", "", "The file is empty"],
        ["players.csv", "a,1\n", header],
        ["players.csv", "\n\n", header],
        ["players.csv", "id;score\na;1\n", header],
        ["players.csv", '"id,score\na,1\n', header],
        ["players.csv", "id,score,score\n", "The header names the column score twice"],
        ["players.xlsx", "id,score\n", "The format is unknown: the name must end with .csv or .ndjson"],
        [
          "players.csv",
          Buffer.from("id,score\nå,1\n", "latin1"),
          "Line 2 is not UTF-8: convert the file, for example with iconv",
        ],
        [
          "players.ndjson",
          Buffer.from('\uFEFF{"id":"a","score":1}\n', "utf16le"),
          "Line 1 is not UTF-8: convert the file, for example with iconv",
        ],
      ] as const) {
        assert.strictEqual(yield* failureOf(name, content), message)
      }
      const files = yield* ImportFile
      const missing = yield* Effect.flip(Effect.scoped(files.open("/nowhere/players.csv")))
      assert.strictEqual(missing.message, "There is no such file")
      const folder = join(yield* temporaryFolder, "..", "..csv")
      assert.strictEqual(
        (yield* Effect.flip(Effect.scoped(files.open(folder)))).message,
        "There is no such file",
      )
    }).pipe(Effect.scoped),
  )

  it.effect("claims each of 200,000 ids once, and gives the line of the first claim afterwards", () =>
    Effect.gen(function* () {
      const { file } = yield* read("players.csv", "id,score\n")
      for (let n = 1; n <= 200_000; n++) assert.isUndefined(file.claim(`player ${n}`, n))
      for (let n = 1; n <= 200_000; n += 997) assert.strictEqual(file.claim(`player ${n}`, 1), n)
    }),
  )
})
