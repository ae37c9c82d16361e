import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { refuse } from "./AdminRefused.ts"
import { runImport } from "./ImportRun.ts"

const nameOf = (path: string): string => path.slice(path.search(/[^/\\]*$/))

/** `admin import <file> [--dry-run] [--verified]`. `by` is the operator's name when `--by` is absent. */
export const importScores = (by: string) =>
  Command.make(
    "import",
    {
      file: Argument.String("file").pipe(
        Argument.withDescription("CSV (.csv) or NDJSON (.ndjson) with id, score, email and reachedAt"),
      ),
      dryRun: Flag.Boolean("dry-run").pipe(
        Flag.withDescription("Only say what would be done"),
        Flag.withDefault(false),
      ),
      verified: Flag.Boolean("verified").pipe(
        Flag.withDescription(
          "The addresses are verified: store and show them. Without it a player gets one by signing in",
        ),
        Flag.withDefault(false),
      ),
      by: Flag.String("by").pipe(
        Flag.withDescription("Who does it; the history records it"),
        Flag.withSchema(Schema.NonEmptyString),
        Flag.withDefault(by),
      ),
    },
    ({ file, dryRun, verified, by: actor }) =>
      Effect.gen(function* () {
        const reason = nameOf(file)
        const summary = yield* runImport({
          path: file,
          isDryRun: dryRun,
          rules: { actor, reason, isVerified: verified },
        })
        yield* Console.log(JSON.stringify({ file: reason, dryRun, ...summary }))
        if (summary.leftOut > 0) {
          return yield* refuse(
            `Lines left out: ${summary.leftOut}, each is named above. Correct them and run the command again`,
          )
        }
      }),
  ).pipe(
    Command.withDescription(
      "Set the scores of another game's players, while the board runs; may be repeated",
    ),
  )
