import { assert, describe, it } from "@effect/vitest"
import { existsSync, globSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"

const root = join(import.meta.dirname, "../../..")

const documents = globSync("{README,CONTRIBUTING,CHANGELOG,SECURITY}.md", { cwd: root }).concat(
  globSync("docs/**/*.md", { cwd: root }),
)

/** The text without its code, in which brackets and hashes mean other things. */
const proseOf = (path: string) =>
  readFileSync(join(root, path), "utf8")
    .replaceAll(/^```[^\n]*\n[\s\S]*?^```$/gm, "")
    .replaceAll(/`[^`\n]+`/g, (code) => "`".padEnd(code.length, "x"))

/** `[text](target)`, `![text](target)`, and the addresses of pictures in HTML. */
const LINK = /\]\(([^()\s]+)\)|(?:src|srcset|href)="([^"]+)"/g

const linksOf = (path: string): ReadonlyArray<string> =>
  Array.from(proseOf(path).matchAll(LINK), ([, markdown, html]) => markdown ?? html ?? "").filter(
    (target) => !/^[a-z]+:/.test(target),
  )

/** The anchors of a document's headings as GitHub makes them: a heading that comes again gets a number. */
const anchorsOf = (path: string): ReadonlySet<string> => {
  const seen = new Map<string, number>()
  const headings = readFileSync(join(root, path), "utf8")
    .replaceAll(/^```[^\n]*\n[\s\S]*?^```$/gm, "")
    .matchAll(/^#{1,6} (.+)$/gm)
  return new Set(
    Array.from(headings, ([, heading = ""]) => {
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
})
