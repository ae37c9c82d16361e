import * as Schema from "effect/Schema"
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Verdict, VERDICT_FILE } from "./Verdict.ts"

/**
 * Without arguments the whole test: the static checks, then every vitest project but those of `npm run test:ship`. With
 * names of projects, only these. All of it runs even when a part fails; the end of the output names everything that did
 * not pass, the last line is the total over all projects, and the exit code is 0 only when everything ran and passed.
 */

interface Result {
  readonly passed: number
  readonly failed: number
  /** One line for each problem: the file, the name of the test, and why. */
  readonly problems: ReadonlyArray<string>
}

/** Runs a command to its end, its output shown as it comes; npm has put the installed tools on PATH. */
const run = (command: string, ...args: ReadonlyArray<string>): boolean =>
  spawnSync(command, args, { stdio: ["ignore", "inherit", "inherit"] }).status === 0

/** Whatever did not pass has failed: a skipped test as well as a broken one. A run that ends badly has one failure. */
const runProject = (name: string, verdictFile: string): Result => {
  process.env[VERDICT_FILE] = verdictFile
  const ended = run(
    "vitest",
    "run",
    `--project=${name}`,
    "--allowOnly=false",
    "--reporter=default",
    "--reporter=scripts/VerdictReporter.ts",
  )
  try {
    const verdict = Schema.decodeUnknownSync(Verdict)(readFileSync(verdictFile, "utf8"))
    const failed = verdict.total - verdict.passed
    const problems = verdict.problems.map(({ file, name: test, reason }) => `${file} > ${test}: ${reason}`)
    if (!ended && problems.length === 0) problems.push("vitest failed although every test passed")
    return { passed: verdict.passed, failed: ended ? failed : Math.max(failed, 1), problems }
  } catch {
    return { passed: 0, failed: 1, problems: ["vitest ended without a verdict"] }
  }
}

const seconds = (since: number) => `${((performance.now() - since) / 1000).toFixed(1)} s`

const folder = mkdtempSync(join(tmpdir(), "scoreboard-test-"))
const summary: Array<string> = []
const total = { passed: 0, failed: 0 }
let good = true
try {
  const named = process.argv.slice(2)
  if (named.length === 0) {
    const started = performance.now()
    const checks = ["static", "edge:static"].map((name) => run("npm", "run", "--silent", name))
    good = checks.every((passed) => passed)
    summary.push(`static checks: ${good ? "passed" : "failed"} (${seconds(started)})`)
  }
  for (const project of named.length === 0 ? ["unit", "integration", "e2e", "faults"] : named) {
    const begun = performance.now()
    const { passed, failed, problems } = runProject(project, join(folder, `${project}.json`))
    total.passed += passed
    total.failed += failed
    summary.push(
      `${project}: ${passed} passed, ${failed} failed (${seconds(begun)})`,
      ...problems.map((problem) => `  ${problem}`),
    )
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

console.log(["", ...summary, "", `${total.passed} passed, ${total.failed} failed`].join("\n"))
process.exitCode = good && total.passed > 0 && total.failed === 0 ? 0 : 1
