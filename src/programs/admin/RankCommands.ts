import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { type LevelReport, SqlLevels } from "../../services/Sql/SqlLevels.ts"

/** A command that found something wrong: the process ends with 1, after it has said what. */
class CommandFailed extends Data.TaggedError("CommandFailed")<{ readonly message: string }> {}

const describe = (report: LevelReport) =>
  `${report.players} visible players with points, highest score ${report.levels}, ` +
  (report.wrong === 0
    ? "every level is right"
    : [
        `wrong levels: ${report.wrong}, the lowest:`,
        ...report.lowest.map(
          ({ score, counted, kept }) => `  score ${score}: ${counted} players, kept ${kept}`,
        ),
      ].join("\n"))

/** Prints a state; fails when a level is wrong in it. */
const conclude = (report: LevelReport, advice: string) =>
  Effect.andThen(
    Console.log(describe(report)),
    report.wrong === 0 ? Effect.void : Effect.fail(new CommandFailed({ message: advice })),
  )

const verify = Command.make("verify", {}, () =>
  Effect.gen(function* () {
    const levels = yield* SqlLevels
    yield* conclude(yield* levels.verify, "Ranks are wrong: run `ranks repair`")
  }),
).pipe(
  Command.withDescription(
    "Count all scores and compare with the levels that ranks come from; exit 1 on a difference",
  ),
)

const repair = Command.make("repair", {}, () =>
  Effect.gen(function* () {
    const levels = yield* SqlLevels
    const { repaired, after } = yield* levels.repair
    yield* Console.log(`levels repaired: ${repaired}`)
    yield* conclude(after, "Levels go wrong while they are repaired: are the triggers of scores enabled?")
  }),
).pipe(
  Command.withDescription(
    "Mend the levels while increments go on; also after a bulk load with the triggers off",
  ),
)

/** `admin ranks verify` and `admin ranks repair` */
export const ranks = Command.make("ranks").pipe(
  Command.withDescription("Check and mend what ranks come from"),
  Command.withSubcommands([verify, repair]),
)

/** `admin generate --players N [--yes]` */
export const generate = Command.make(
  "generate",
  {
    players: Flag.Int("players").pipe(
      Flag.withDescription("How many to add: 1 to 20 million"),
      Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 20_000_000 }))),
    ),
    yes: Flag.Boolean("yes").pipe(
      Flag.withDescription("Add them although the database has real players"),
      Flag.withDefault(false),
    ),
  },
  ({ players, yes }) =>
    Effect.gen(function* () {
      const levels = yield* SqlLevels
      yield* levels.generate({ players, besideRealPlayers: yes }).pipe(
        Effect.catchTag("RealPlayersPresent", () =>
          Effect.fail(
            new CommandFailed({
              message:
                "This database has real players. Nothing was added; --yes adds synthetic ones all the same",
            }),
          ),
        ),
      )
      yield* Console.log(`${players} synthetic players added`)
    }),
).pipe(
  Command.withDescription(
    "Add synthetic players for a trial: a long tail of scores, big ties, no history, no login",
  ),
)
