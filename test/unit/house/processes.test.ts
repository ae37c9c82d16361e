import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"

const root = join(import.meta.dirname, "../../..")

/** Every `import … from "./file.ts"` and `export … from` of values: types are gone when a process runs. */
const LOADS = /^(?:import|export)\s+(?!type\s)[^"';]*?from\s+"(\.[^"]+)"/gms

/** The files of this repository that a process loads, by path. */
const loadedBy = (main: string) => {
  const loaded = new Set([main])
  for (const path of loaded) {
    for (const [, from = ""] of readFileSync(join(root, path), "utf8").matchAll(LOADS)) {
      loaded.add(relative(root, join(root, dirname(path), from)))
    }
  }
  return loaded
}

describe("A process", () => {
  it("that serves the API cannot hide a player, correct a score, export the history or repair levels", () => {
    for (const main of ["src/main-api.ts", "src/main-local.ts"]) {
      const loaded = loadedBy(main)
      assert.isTrue(loaded.has("src/services/Sql/SqlCommit.ts"), main)
      for (const name of ["SqlModeration", "SqlPlayers", "SqlExport", "SqlLevels", "SqlWrongLevels"]) {
        assert.isFalse(loaded.has(`src/services/Sql/${name}.ts`), `${main} loads ${name}`)
      }
    }
  })

  it("without the upkeep cannot prune", () => {
    assert.isFalse(loadedBy("src/main-api.ts").has("src/services/Sql/SqlPruning.ts"))
    assert.isTrue(loadedBy("src/main-worker.ts").has("src/services/Sql/SqlPruning.ts"))
  })
})
