import * as Schema from "effect/Schema"

/** The variable that names the file for the verdict of a run. */
export const VERDICT_FILE = "SCOREBOARD_VERDICT_FILE"

/** Of one vitest run: how many tests passed, and what did not, with its reason. */
export const Verdict = Schema.fromJsonString(
  Schema.Struct({
    passed: Schema.Int,
    /** How many tests ran, were skipped, or never came to run. */
    total: Schema.Int,
    /** Each test, suite, file and stray error that did not pass. */
    problems: Schema.Array(
      Schema.Struct({ file: Schema.String, name: Schema.String, reason: Schema.String }),
    ),
  }),
)
export type Verdict = typeof Verdict.Type
