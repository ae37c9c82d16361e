import { assert, describe, it } from "@effect/vitest"
import { existsSync, globSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"

const root = join(import.meta.dirname, "../../..")

const documents = globSync("{README,CONTRIBUTING,CHANGELOG,SECURITY}.md", { cwd: root }).concat(
  globSync("docs/**/*.md", { cwd: root }),
)

/** A document without its blocks of code, in which brackets and hashes mean other things. */
const textOf = (path: string) =>
  readFileSync(join(root, path), "utf8").replaceAll(/^```[^\n]*\n[\s\S]*?^```$/gm, "")

/** `[text](target)`, `![text](target)`, and the addresses of pictures in HTML. */
const LINK = /\]\(([^()\s]+)\)|(?:src|srcset|href)="([^"]+)"/g

const linksOf = (path: string): ReadonlyArray<string> =>
  Array.from(
    textOf(path)
      .replaceAll(/`[^`\n]+`/g, "")
      .matchAll(LINK),
    ([, markdown, html]) => markdown ?? html ?? "",
  ).filter((target) => !/^[a-z]+:/.test(target))

/** A file or folder of the repository that is named in code type, without a wildcard or a place to fill in. */
const NAME = /`((?:src|web|test|bench|docs|scripts)\/[\w./-]+)`/g

const namesOf = (path: string): ReadonlyArray<string> =>
  Array.from(textOf(path).matchAll(NAME), ([, name]) => name ?? "")

/** The anchors of a document's headings as GitHub makes them: a heading that comes again gets a number. */
const anchorsOf = (path: string): ReadonlySet<string> => {
  const seen = new Map<string, number>()
  return new Set(
    Array.from(textOf(path).matchAll(/^#{1,6} (.+)$/gm), ([, heading = ""]) => {
      const slug = heading
        .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, "")
        .replaceAll(" ", "-")
      const times = seen.get(slug) ?? 0
      seen.set(slug, times + 1)
      return times === 0 ? slug : `${slug}-${times}`
    }),
  )
}

describe("The documents", () => {
  it("link only to files and headings that exist", () => {
    const dead = documents.flatMap((path) =>
      linksOf(path).flatMap((link) => {
        const [target = "", anchor] = link.split("#")
        const file = target === "" ? path : relative(root, join(root, dirname(path), target))
        if (!existsSync(join(root, file))) return [`${path}: ${link} (no such file)`]
        if (anchor === undefined || !file.endsWith(".md") || anchorsOf(file).has(anchor)) return []
        return [`${path}: ${link} (no such heading)`]
      }),
    )

    assert.deepStrictEqual(dead, [])
    assert.isAbove(documents.flatMap(linksOf).length, 100)
  })

  it("name only files that exist", () => {
    const dead = documents.flatMap((path) =>
      namesOf(path)
        .filter((name) => !existsSync(join(root, name)))
        .map((name) => `${path}: ${name}`),
    )

    assert.deepStrictEqual(dead, [])
    assert.isAbove(documents.flatMap(namesOf).length, 20)
  })
})
