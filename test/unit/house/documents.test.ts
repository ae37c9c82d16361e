import { assert, describe, it } from "@effect/vitest"
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "../../..")

/** What a reader with a question has to search. Tables of measurements are data and lie in `docs/measurements`. */
const MANUAL = ["README.md", "CONTRIBUTING.md", "docs/*.md", "docs/decisions/*.md"]

/** Words, counted as `wc -w` does. 24,000 were enough before releases, imports and containers had pages. */
const MOST_WORDS = 29_000

const wordsOf = (path: string) => readFileSync(join(root, path), "utf8").match(/\S+/g)?.length ?? 0

describe("The manual", () => {
  it(`has at most ${MOST_WORDS} words`, () => {
    const heaviest = globSync(MANUAL, { cwd: root })
      .map((path) => ({ path, words: wordsOf(path) }))
      .toSorted((a, b) => b.words - a.words)
    const total = heaviest.reduce((sum, { words }) => sum + words, 0)

    assert.isAbove(total, 0)
    assert.isAtMost(
      total,
      MOST_WORDS,
      `shorten a page, or move its tables to docs/measurements; the longest are ${heaviest
        .slice(0, 5)
        .map(({ path, words }) => `${path} (${words})`)
        .join(", ")}`,
    )
  })
})
