import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { execFileSync } from "node:child_process"
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { moduleGraph } from "../../support/moduleGraph.ts"

const ROOT = join(import.meta.dirname, "../../..")
const read = (path: string) => readFileSync(join(ROOT, path), "utf8")

const { optionalDependencies, license, description } = Schema.decodeUnknownSync(
  Schema.fromJsonString(
    Schema.Struct({
      license: Schema.String,
      description: Schema.String,
      optionalDependencies: Schema.Record(Schema.String, Schema.String),
    }),
  ),
)(read("package.json"))

/** Instructions of the Dockerfile, each on one line, without comments. */
const instructions = read("Dockerfile")
  .replaceAll(/^#.*\n/gm, "")
  .replaceAll(/\s*\\\n\s*/g, " ")
  .split("\n")
  .filter((line) => line !== "")

/** The stage that becomes the image: everything from the last FROM on. */
const image = instructions.slice(instructions.findLastIndex((line) => line.startsWith("FROM ")))

const argumentOf = (name: string): string =>
  image.findLast((line) => line.startsWith(`${name} `))?.slice(name.length + 1) ?? ""

/** What the last stage sets by ENV. */
const environment = new Map(
  Array.from(argumentOf("ENV").matchAll(/(\w+)=(\S+)/g), ([, name = "", value = ""]) => [name, value]),
)

/** The modules of three processes are some 600 files; this is for a busy machine. */
const TIME_LIMIT_MILLIS = 60_000

describe("The Dockerfile", () => {
  it("takes Node in the version that npm installs, and no other image", () => {
    const pinned = Object.entries(optionalDependencies).filter(([name]) => name.startsWith("node-"))
    const base = /^ARG NODE_IMAGE=docker\.io\/library\/node:([\d.]+)-[a-z]+-slim$/.exec(instructions[0] ?? "")
    assert.isNotEmpty(pinned)
    for (const [name, version] of pinned) assert.strictEqual(base?.[1], version, name)

    const stages = instructions.flatMap((line) => /^FROM \S+ AS (\S+)$/.exec(line)?.[1] ?? [])
    const bases = instructions.flatMap((line) => /^FROM (\S+)/.exec(line)?.[1] ?? [])
    assert.deepStrictEqual(
      bases.filter((name) => name !== "${NODE_IMAGE}" && !stages.includes(name)),
      [],
    )
  })

  it("runs Node itself as a user who is not root and is named by number", () => {
    assert.match(argumentOf("USER"), /^[1-9]\d*:[1-9]\d*$/)
    assert.deepStrictEqual(JSON.parse(argumentOf("ENTRYPOINT")), ["node"])
    assert.deepStrictEqual(JSON.parse(argumentOf("CMD")), ["src/main-api.ts"])
  })

  it("exposes the two ports that it sets, the public one where the product has it without a setting", () => {
    const ports = ["PORT", "MANAGEMENT_PORT"].map((name) => environment.get(name))
    assert.strictEqual(argumentOf("EXPOSE"), ports.join(" "))
    assert.include(read("docs/configuration.md"), `| \`PORT\` | \`${ports[0]}\` |`)
  })

  it("labels the image with the version and the commit that the build is given", () => {
    const labels = argumentOf("LABEL")
    for (const [label, name] of [
      ["version", "VERSION"],
      ["revision", "REVISION"],
    ] as const) {
      assert.include(image.join("\n"), `ARG ${name}=`)
      assert.include(labels, `org.opencontainers.image.${label}="\${${name}}"`)
    }
    assert.include(labels, `org.opencontainers.image.licenses="${license}"`)
    assert.include(labels, `org.opencontainers.image.description="${description}"`)
  })

  it("copies only what .dockerignore lets in, which names each thing that may come", () => {
    const [first, ...named] = read(".dockerignore")
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
    assert.strictEqual(first, "*")
    const allowed = named.map((line) => /^!([\w./-]+)$/.exec(line)?.[1] ?? `not allowed: ${line}`)
    for (const path of allowed) assert.isNotEmpty(globSync(path, { cwd: ROOT }), path)
    const copied = instructions.flatMap((line) =>
      line.startsWith("COPY ") && !line.includes("--from=") ? line.split(" ").slice(1, -1) : [],
    )
    const isIn = (path: string, place: string) => path === place || path.startsWith(`${place}/`)
    assert.deepStrictEqual(
      copied.filter((path) => !allowed.some((place) => isIn(path, place))),
      [],
    )
    assert.deepStrictEqual(
      allowed.filter((place) => !copied.some((path) => isIn(path, place))),
      [],
    )
  })
})

describe("scripts/image-sources.ts", () => {
  it(
    "copies every file that the API, the worker and the operator's commands load, and nothing that only a laptop does",
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "scoreboard-"))
      try {
        execFileSync(process.execPath, [join(ROOT, "scripts/image-sources.ts"), folder])
        const copied = globSync("**/*.*", { cwd: folder })
        const mains = ["api", "worker", "admin"].map((name) => `src/main-${name}.ts`)
        const graphs = await Promise.all(mains.map((main) => moduleGraph(ROOT, main)))
        const loaded = graphs
          .flatMap(({ urls }) => urls)
          .filter((url) => url.startsWith(`file://${ROOT}/src/`))
          .map((url) => url.slice(`file://${ROOT}/`.length))
        assert.isAbove(loaded.length, 100)
        assert.deepStrictEqual(
          [...mains, ...loaded].filter((path) => !copied.includes(path)),
          [],
        )
        const laptop = [
          /^src\/(?:client\/|main-local)/,
          /^src\/services\/(?:EmbeddedPostgres\/EmbeddedPostgres(?:Server)?\.ts|Cognito\/CognitoLocal|Redis\/RedisMemory|Sqs\/SqsMemory)/,
        ]
        assert.deepStrictEqual(
          copied.filter((path) => laptop.some((pattern) => pattern.test(path))),
          [],
        )
      } finally {
        rmSync(folder, { recursive: true })
      }
    },
    TIME_LIMIT_MILLIS,
  )
})
