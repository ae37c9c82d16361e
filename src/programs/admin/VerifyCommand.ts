import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { RedisBoard } from "../../services/Redis/RedisBoard.ts"
import { type DataCheck, type Snapshot, SqlInspection } from "../../services/Sql/SqlInspection.ts"
import { refuse } from "./AdminRefused.ts"
import { AdminUnanswered } from "./AdminUnanswered.ts"
import { compareBoards } from "./BoardComparison.ts"
import { asJson } from "./Answers.ts"

/** What became of one check: an element of `checks` in the JSON document. */
interface CheckResult {
  readonly check: DataCheck["check"] | "board"
  readonly outcome: "ok" | "different" | "unknown" | "skipped"
  /** How far it looked. */
  readonly looked: Readonly<Record<string, number>>
  readonly differences?: number
  readonly first?: Readonly<Record<string, unknown>>
  /** Why it was skipped, or could not look. */
  readonly reason?: string
}

const resultOf = ({ check, differences, first, looked }: DataCheck): CheckResult =>
  differences === 0
    ? { check, outcome: "ok", looked }
    : { check, outcome: "different", looked, differences, ...(first === undefined ? {} : { first }) }

/** `eventsWithKey` as words. */
const inWords = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)

const describe = ({ check, differences, first, looked, outcome, reason }: CheckResult) => {
  const far = Object.entries(looked).map(([name, count]) => `${inWords(name)} ${count}`)
  const said = [
    reason,
    differences === undefined ? undefined : `differences: ${differences}`,
    first === undefined ? undefined : `the first: ${JSON.stringify(first)}`,
  ].flatMap((part) => part ?? [])
  return [`${check.padEnd(8)} ${outcome.padEnd(9)} ${far.join(", ")}`.trimEnd(), ...said].join("; ")
}

const checkBoard = Effect.gen(function* () {
  const { absent } = yield* RedisBoard
  const result: CheckResult =
    absent === undefined
      ? { check: "board", ...(yield* compareBoards) }
      : { check: "board", outcome: "skipped", looked: {}, reason: absent }
  return result
})

const named = (results: ReadonlyArray<CheckResult>, outcome: CheckResult["outcome"]) =>
  results.flatMap((result) => (result.outcome === outcome ? [result.check] : [])).join(", ")

/** The whole answer as one document; `ok` = nothing differs, and everything that was not skipped could be looked at. */
const documentOf = (snapshot: Snapshot | undefined, checks: ReadonlyArray<CheckResult>) => ({
  ok: snapshot !== undefined && checks.every(({ outcome }) => outcome === "ok" || outcome === "skipped"),
  ...snapshot,
  checks,
})

const verifyAll = Effect.fnUntraced(function* ({ json }: { readonly json: boolean }) {
  const sql = yield* SqlInspection
  const results: Array<CheckResult> = []
  const tell = (result: CheckResult) => {
    results.push(result)
    return json ? Effect.void : Console.log(describe(result))
  }
  let snapshot: Snapshot | undefined
  yield* Effect.gen(function* () {
    snapshot = yield* sql.verify((check) => tell(resultOf(check)))
    yield* tell(yield* checkBoard)
    // A failure leaves an answer, too: what was looked at before.
  }).pipe(
    Effect.ensuring(
      Effect.suspend(() => (json ? Console.log(JSON.stringify(documentOf(snapshot, results))) : Effect.void)),
    ),
  )
  const different = named(results, "different")
  if (different !== "") return yield* refuse(`Differences: ${different}`)
  const unknown = named(results, "unknown")
  if (unknown !== "") return yield* new AdminUnanswered({ message: `Could not be looked at: ${unknown}` })
})

/** `admin verify [--json] [--without-redis]` */
export const verify = Command.make(
  "verify",
  {
    json: asJson,
    withoutRedis: Flag.Boolean("without-redis").pipe(
      Flag.withDescription("Leave the board in Redis out"),
      Flag.withDefault(false),
    ),
  },
  verifyAll,
).pipe(
  Command.withDescription(
    "Compare scores, history, keys, players and ranks in one snapshot, and the board in Redis with PostgreSQL's, while " +
      "the board runs. Prints how far each check looked and the first difference of each kind. Exits with 1 if something " +
      "differs, with 3 if something could not be looked at",
  ),
  Command.withExamples([
    { command: "npm run admin -- verify", description: "DATABASE_URL and REDIS_URL say where" },
    {
      command: "npm run -s admin -- verify --json | jq '.checks[] | select(.outcome != \"ok\")'",
      description: "Only what is not all right",
    },
  ]),
)
