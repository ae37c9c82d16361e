import * as Schema from "effect/Schema"
import { writeFileSync } from "node:fs"
import type { Reporter, TestModule } from "vitest/node"
import { Verdict, VERDICT_FILE } from "./Verdict.ts"

/** A reason fits on two lines of a terminal; the whole of it is further up in the output. */
const REASON_LENGTH = 200

type Problem = Verdict["problems"][number]

const firstLine = (errors: ReadonlyArray<{ readonly message: string }>, otherwise: string) =>
  (
    errors
      .find(({ message }) => message !== "")
      ?.message.trim()
      .split("\n")[0] ?? otherwise
  ).slice(0, REASON_LENGTH)

/** What did not pass in a file. A hook that fails is an error of its suite, and leaves the tests below it without one. */
const problemsOf = (module: TestModule): ReadonlyArray<Problem> => {
  const file = module.relativeModuleId
  const suites = [...module.children.allSuites()].map((suite) => ({
    name: suite.fullName,
    errors: suite.errors(),
  }))
  const tests = [...module.children.allTests()].flatMap((test): ReadonlyArray<Problem> => {
    const { state, errors } = test.result()
    return state === "passed" ? [] : [{ file, name: test.fullName, reason: firstLine(errors ?? [], state) }]
  })
  const above = [{ name: "the file itself", errors: module.errors() }, ...suites]
    .filter(({ errors }) => errors.length > 0)
    .map(({ name, errors }) => ({ file, name, reason: firstLine(errors, "failed") }))
  return [...above, ...tests]
}

/** Writes the verdict of a run, which vitest's own report of JSON lacks: errors of hooks and outside of tests. */
export default class VerdictReporter implements Reporter {
  onTestRunEnd: NonNullable<Reporter["onTestRunEnd"]> = (modules, strayErrors) => {
    const file = process.env[VERDICT_FILE]
    if (file === undefined) throw new Error(`${VERDICT_FILE} is not set`)
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    const verdict: Verdict = {
      passed: tests.filter((test) => test.result().state === "passed").length,
      total: tests.length,
      problems: [
        ...modules.flatMap(problemsOf),
        ...strayErrors.map((error) => ({
          file: "vitest",
          name: "an error outside of the tests",
          reason: firstLine([error], "no message"),
        })),
      ],
    }
    writeFileSync(file, Schema.encodeSync(Verdict)(verdict))
  }
}
