/**
 * A program: `node test/support/loadMain.ts src/main-api.ts` loads everything that a main file imports, without running
 * the main file itself, and prints a `ModuleGraph` as JSON. It imports nothing that would count as loaded.
 */
import { readFileSync } from "node:fs"
import { registerHooks } from "node:module"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"

/** `import … from "…"` and `import "…"`, but not `import type`. */
const IMPORT = /^import\s(?!type\s)(?:[^"';]*?\sfrom\s+)?"([^"]+)"/gms

const [main] = process.argv.slice(2)
if (main === undefined) throw new Error("Which main file?")

const mainUrl = pathToFileURL(resolve(main)).href
const urls = new Set<string>()
registerHooks({
  load: (url, context, nextLoad) => {
    if (url !== mainUrl) {
      urls.add(url)
      return nextLoad(url, context)
    }
    // The main file without its code: that would start the process.
    const imports = Array.from(
      readFileSync(main, "utf8").matchAll(IMPORT),
      ([, specifier]) => `import "${specifier}"`,
    )
    return { format: "module", shortCircuit: true, source: imports.join("\n") }
  },
})
const begun = performance.now()
await import(mainUrl)
process.stdout.write(
  JSON.stringify({
    importMillis: performance.now() - begun,
    residentBytes: process.memoryUsage.rss(),
    urls: [...urls],
  }),
)
