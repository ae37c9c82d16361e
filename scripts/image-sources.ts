/**
 * `node scripts/image-sources.ts <folder>` copies into a folder the sources that the programs of the image import, each at
 * its path: the API, the worker and the operator's commands, without what only `npm start` and the page use. A unit test
 * compares them with what Node loads.
 */
import { chmodSync, copyFileSync, mkdirSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"

const ROOT = join(import.meta.dirname, "..")
const MAINS = ["src/main-api.ts", "src/main-worker.ts", "src/main-admin.ts"]

/** `import … from "./…"`, `export … from "./…"` and `import("./…")`; types are gone when Node runs the file. */
const IMPORT = /^(?:import|export)\s(?!type\s)(?:[^"';]*?\sfrom\s+)?"(\.[^"]+)"|\bimport\(\s*"(\.[^"]+)"/gms

/** The files of the repository that a file imports, as paths from its root. */
const importsOf = (path: string): ReadonlyArray<string> =>
  Array.from(readFileSync(join(ROOT, path), "utf8").matchAll(IMPORT), ([, from, dynamic]) =>
    relative(ROOT, join(ROOT, dirname(path), from ?? dynamic ?? "")),
  )

const [target] = process.argv.slice(2)
if (target === undefined) throw new Error("Into which folder?")

const reached = new Set(MAINS)
// A set also iterates over what is added meanwhile.
for (const path of reached) if (path.endsWith(".ts")) for (const next of importsOf(path)) reached.add(next)

for (const path of reached) {
  const copy = join(target, path)
  mkdirSync(dirname(copy), { recursive: true })
  copyFileSync(join(ROOT, path), copy)
  // Any user of the image may read it, whatever the mode of the checkout.
  chmodSync(copy, 0o644)
}
