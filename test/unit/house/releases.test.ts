import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { releases } from "../../support/releases.ts"

const root = join(import.meta.dirname, "../../..")
const read = (path: string) => readFileSync(join(root, path), "utf8")

const Versioned = Schema.fromJsonString(Schema.Struct({ version: Schema.String }))
const LockFile = Schema.fromJsonString(
  Schema.Struct({ version: Schema.String, packages: Schema.Record(Schema.String, Schema.Unknown) }),
)

/** The headings of the changelog after "Unreleased", newest first: a version and its day. */
const sections = Array.from(read("CHANGELOG.md").matchAll(/^## (.+)$/gm), ([, heading = ""]) => heading)

const numbersOf = (version: string) => version.split(".").map(Number)

const isNewer = (version: string, than: string) => {
  const [left, right] = [numbersOf(version), numbersOf(than)]
  const at = left.findIndex((number, index) => number !== right[index])
  return at !== -1 && (left[at] ?? 0) > (right[at] ?? 0)
}

describe("The releases", () => {
  const released = releases()
  const { version } = Schema.decodeUnknownSync(Versioned)(read("package.json"))

  it("are versions of three numbers that rise, each with a whole commit of its own", () => {
    for (const [at, release] of released.entries()) {
      assert.match(release.version, /^(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)){2}$/)
      assert.match(release.commit, /^[0-9a-f]{40}$/)
      const before = released[at - 1]?.version
      if (before !== undefined) assert.isTrue(isNewer(release.version, before), release.version)
    }
    assert.strictEqual(new Set(released.map(({ commit }) => commit)).size, released.length)
    assert.isAbove(released.length, 0)
  })

  it("have a dated section each in the changelog, newest first, after what is not released", () => {
    const [first, ...dated] = sections
    assert.strictEqual(first, "Unreleased")
    for (const heading of dated) assert.match(heading, /^\d+\.\d+\.\d+ \(\d{4}-\d{2}-\d{2}\)$/)
    const versions = dated.map((heading) => heading.split(" ")[0])
    // The commit of a release cannot name itself: between it and the next one, its version is only in the other places.
    const known = released.map((release) => release.version).toReversed()
    assert.deepStrictEqual(versions, known.includes(version) ? known : [version, ...known])
  })

  it("end with the version of the packages", () => {
    const newest = released.at(-1)?.version ?? ""
    assert.isTrue(version === newest || isNewer(version, newest), `${version} in package.json`)
    const lock = Schema.decodeUnknownSync(LockFile)(read("package-lock.json"))
    assert.strictEqual(lock.version, version)
    assert.strictEqual(
      Schema.decodeUnknownSync(Schema.Struct({ version: Schema.String }))(lock.packages[""]).version,
      version,
    )
  })

  it("get fixes as the newest one and the one before", () => {
    const rows = Array.from(read("SECURITY.md").matchAll(/^\| (\d\S+) \| (.+) \|$/gm), ([, row]) => row)
    assert.deepStrictEqual(
      rows,
      released
        .map((release) => release.version)
        .toReversed()
        .slice(0, 2),
    )
  })

  it("are published with their section, and not at all without one or under another version", () => {
    const notesOf = (tag: string) =>
      spawnSync(join(root, "scripts/release-notes"), [tag], { encoding: "utf8" })
    const { status, stdout } = notesOf(`v${version}`)
    assert.strictEqual(status, 0)
    const [, text = ""] = read("CHANGELOG.md").split(
      new RegExp(`^## ${version.replaceAll(".", "\\.")} .*$`, "m"),
    )
    assert.strictEqual(stdout.trim(), text.split(/^## /m)[0]?.trim())
    const another = notesOf("v99.0.0")
    assert.deepStrictEqual(
      [another.status, another.stdout, another.stderr],
      [1, "", "package.json has another version than 99.0.0\n"],
    )
  })
})
