import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { cpSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { WorkerPrograms } from "../../../src/programs/process/WorkerProcess.ts"
import { temporaryFolder } from "../../support/fixtures.ts"
import { api, ask, Engine, origin, PASSWORD } from "../programs/http/fixtures.ts"
import { runNode, runTool, TOOLS } from "./openApiTools.ts"

const OPTIONS = { timeout: "30 seconds", excludeTestServices: true } as const

/** The document as the server sends it, in a folder of its own. */
const servedDocument = Effect.gen(function* () {
  const folder = yield* temporaryFolder
  const { body } = yield* ask("/openapi.json")
  writeFileSync(join(folder, "openapi.json"), body)
  return { folder, body }
})

const Seen = Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown))

layer(Engine.layer, OPTIONS)("The OpenAPI document", (it) => {
  it.layer(api())("of a running server", (it) => {
    const linters: ReadonlyArray<readonly [name: string, args: ReadonlyArray<string>]> = [
      ["redocly", ["lint", "--config", join(TOOLS, "redocly.yaml"), "--format", "json"]],
      ["spectral", ["lint", "--ruleset", join(TOOLS, "spectral.yaml"), "--fail-severity", "hint"]],
    ]
    for (const [name, args] of linters) {
      it.effect(`has neither an error nor a warning by ${name}`, () =>
        Effect.gen(function* () {
          const { folder, body } = yield* servedDocument
          const good = yield* runTool(name, [...args, "openapi.json"], folder)
          assert.strictEqual(good.code, 0, good.output)
          assert.match(good.output, /"totals":\s*\{\s*"errors": 0,\s*"warnings": 0|No results/)

          // That the linter looks at all.
          writeFileSync(join(folder, "broken.json"), body.replaceAll('"description"', '"descripton"'))
          assert.notStrictEqual((yield* runTool(name, [...args, "broken.json"], folder)).code, 0)
        }),
      )
    }

    it.effect("makes a client that compiles and plays", () =>
      Effect.gen(function* () {
        const { folder } = yield* servedDocument
        cpSync(join(TOOLS, "client"), folder, { recursive: true })
        const plugins = ["@hey-api/client-fetch", "@hey-api/typescript", "@hey-api/sdk"]
        const generator = ["-i", "openapi.json", "-o", "generated", "--no-log-file", "-p", ...plugins]
        for (const [tool, args] of [
          ["openapi-ts", generator],
          ["tsc", ["-p", "."]],
        ] as const) {
          const ended = yield* runTool(tool, args, folder)
          assert.strictEqual(ended.code, 0, ended.output)
        }
        // So that the board follows the increments.
        yield* Layer.build(WorkerPrograms)
        const played = yield* runNode(
          "built/play.js",
          [yield* origin, "player0@example.com", PASSWORD],
          folder,
        )
        assert.strictEqual(played.code, 0, played.output)
        assert.deepStrictEqual(Schema.decodeUnknownSync(Seen)(played.output), {
          wrongPassword: "Wrong e-mail or password",
          messages: "Score incremented, Score incremented, Score incremented",
          rank: 1,
          newestScore: 2,
          olderScore: 1,
          onPage: "player0@example.com",
          boardScore: 2,
          unchanged: 304,
          afterLogout: "urn:scoreboard:unauthorized",
        })
      }),
    )
  })
})
