import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import config from "../wrangler.json" with { type: "json" }
import { mistakeIn } from "../src/Settings.ts"
import { checkOrigin } from "./origin.ts"

/**
 * Deploys the edge with wrangler: checks wrangler.json and EDGE_SECRET (from the environment), asks the origin with and
 * without the secret, then uploads the code together with the secret. Further arguments are for wrangler: `--dry-run`.
 */
const ROOT = join(import.meta.dirname, "..")

const fail = (line: string): never => {
  console.error(`edge:deploy: ${line}`)
  process.exit(1)
}

const { EDGE_SECRET } = process.env
const settings = { ORIGIN: config.vars.ORIGIN, EDGE_SECRET }
const mistake = mistakeIn(settings)
if (mistake !== undefined) fail(mistake)
if (JSON.stringify([config.routes, settings.ORIGIN]).includes("example.com")) {
  fail("wrangler.json still has example.com: write your zone into `routes` and your origin into ORIGIN")
}
const origin = await checkOrigin(settings)
if (origin.mistake !== undefined) fail(origin.mistake)
if (origin.isOpen === true) {
  fail(`ORIGIN ${settings.ORIGIN} answers without the secret: set EDGE_SECRET there first`)
}

// wrangler reads the secret from a file only, and a command line is for everybody to see.
// Ctrl-C ends wrangler, and this process only once the file is gone.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => undefined)
const folder = mkdtempSync(join(tmpdir(), "scoreboard-edge-"))
const secrets = join(folder, "secrets.json")
try {
  writeFileSync(secrets, JSON.stringify({ EDGE_SECRET }), { mode: 0o600 })
  const { status } = spawnSync(
    join(ROOT, "node_modules/.bin/wrangler"),
    ["deploy", "--secrets-file", secrets, ...process.argv.slice(2)],
    { cwd: ROOT, stdio: "inherit" },
  )
  process.exitCode = status ?? 1
} finally {
  rmSync(folder, { recursive: true })
}
