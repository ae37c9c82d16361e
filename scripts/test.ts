import * as Schema from "effect/Schema"
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/**
 * The whole test: the static checks, then every vitest project. All of it runs even when a part fails; the last
 * line is the total over all projects, and the exit code is 0 only when everything ran and passed.
 */

interface Result {
  readonly passed: number
  readonly failed: number
}

/** The part of vitest's JSON report that is read here. */
const Report = Schema.fromJsonString(Schema.Struct({ numPassedTests: Schema.Int, numTotalTests: Schema.Int }))

/** Runs a command to its end, its output shown as it comes; npm has put the installed tools on PATH. */
const run = (command: string, ...args: ReadonlyArray<string>): boolean =>
  spawnSync(command, args, { stdio: ["ignore", "inherit", "inherit"] }).status === 0

/** Whatever did not pass has failed: a skipped test as well as a broken one. A run that ends badly has one failure. */
const runProject = (name: string, reportFile: string): Result => {
  const ended = run(
    "vitest",
    "run",
    `--project=${name}`,
    "--allowOnly=false",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${reportFile}`,
  )
  try {
    const report = Schema.decodeUnknownSync(Report)(readFileSync(reportFile, "utf8"))
    const failed = report.numTotalTests - report.numPassedTests
    return { passed: report.numPassedTests, failed: ended ? failed : Math.max(failed, 1) }
  } catch {
    return { passed: 0, failed: 1 }
  }
}

const seconds = (since: number) => `${((performance.now() - since) / 1000).toFixed(1)} s`

const folder = mkdtempSync(join(tmpdir(), "scoreboard-test-"))
const summary: Array<string> = []
const total = { passed: 0, failed: 0 }
let good = true
try {
  const started = performance.now()
  const checks = ["static", "edge:static"].map((name) => run("npm", "run", "--silent", name))
  good = checks.every((passed) => passed)
  summary.push(`static checks: ${good ? "passed" : "failed"} (${seconds(started)})`)
  for (const project of ["unit", "integration", "e2e", "faults"]) {
    const begun = performance.now()
    const { passed, failed } = runProject(project, join(folder, `${project}.json`))
    total.passed += passed
    total.failed += failed
    summary.push(`${project}: ${passed} passed, ${failed} failed (${seconds(begun)})`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

console.log(["", ...summary, "", `${total.passed} passed, ${total.failed} failed`].join("\n"))
process.exitCode = good && total.passed > 0 && total.failed === 0 ? 0 : 1
