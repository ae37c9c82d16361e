import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { type LevelReport, SqlLevels } from "../../services/Sql/SqlLevels.ts"
import { refuse } from "./AdminRefused.ts"

const describe = (report: LevelReport) =>
  `${report.players} visible players with points, highest score ${report.highest}, ` +
  (report.wrong === 0
    ? "every rank is right"
    : [
        `wrong counts: ${report.wrong}, the lowest:`,
        ...report.lowest.map(
          ({ from, to, players }) => `  scores ${from} to ${to}: ${players} players too many or too few`,
        ),
      ].join("\n"))

/** Prints a report; fails with the advice when a count is wrong. */
const conclude = (report: LevelReport, advice: string) =>
  Effect.andThen(Console.log(describe(report)), report.wrong === 0 ? Effect.void : refuse(advice))

const verify = Command.make("verify", {}, () =>
  Effect.gen(function* () {
    const levels = yield* SqlLevels
    yield* conclude(yield* levels.verify, "Ranks are wrong: run `ranks repair`")
  }),
).pipe(
  Command.withDescription(
    "Count all scores and compare them with the stored counts that give the ranks; exit with 1 if they differ",
  ),
)

const repair = Command.make("repair", {}, () =>
  Effect.gen(function* () {
    const levels = yield* SqlLevels
    const { repaired, after } = yield* levels.repair
    yield* Console.log(`counts repaired: ${repaired}`)
    yield* conclude(
      after,
      "Counts become wrong during the repair: are the triggers of the table scores enabled?",
    )
  }),
).pipe(
  Command.withDescription(
    "Correct the stored counts while increments continue; run it after a bulk load with the triggers off",
  ),
)

const retire = Command.make("retire", {}, () =>
  Effect.gen(function* () {
    const levels = yield* SqlLevels
    const retired = yield* levels.retire
    yield* Console.log(retired ? "the ranks of earlier releases have ended" : "nothing to retire")
  }),
).pipe(
  Command.withDescription(
    "End the ranks of earlier releases, and their cost, once no process of such a release runs any more",
  ),
)

/** `admin ranks verify`, `admin ranks repair` and `admin ranks retire` */
export const ranks = Command.make("ranks").pipe(
  Command.withDescription("Check and repair the stored counts that give the ranks"),
  Command.withSubcommands([verify, repair, retire]),
)

/** `admin generate --players N [--yes]` */
export const generate = Command.make(
  "generate",
  {
    players: Flag.Int("players").pipe(
      Flag.withDescription("How many players to add: 1 to 20 million"),
      Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 20_000_000 }))),
    ),
    yes: Flag.Boolean("yes").pipe(
      Flag.withDescription("Add them even if the database has real players"),
      Flag.withDefault(false),
    ),
  },
  ({ players, yes }) =>
    Effect.gen(function* () {
      const levels = yield* SqlLevels
      yield* levels
        .generate({ players, besideRealPlayers: yes })
        .pipe(
          Effect.catchTag("RealPlayersPresent", () =>
            refuse(
              "This database has real players. Nothing was added; --yes adds synthetic players beside them",
            ),
          ),
        )
      yield* Console.log(`${players} synthetic players added`)
    }),
).pipe(
  Command.withDescription(
    "Add synthetic players for a trial: a long tail of scores and large ties; they have no history and cannot sign in",
  ),
)
