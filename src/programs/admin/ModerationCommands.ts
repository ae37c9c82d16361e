import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { type ExportCursor, SqlModeration } from "../../services/Sql/SqlModeration.ts"
import { refuse } from "./AdminRefused.ts"

/** The most points of one correction: each point writes a row of the levels, and increments wait for its lock. */
const MAX_CORRECTION = 10_000

/** Rows of the history that one statement reads. */
const EXPORT_ROWS = 1_000

/** The one player whom an operator names by id or e-mail. */
const findOne = Effect.fnUntraced(function* (query: string) {
  const found = yield* (yield* SqlModeration).findPlayers(query)
  const [player, ...others] = found
  if (player !== undefined && others.length === 0) {
    if (query !== player.id && query !== player.email) {
      yield* Console.error(
        `Nobody is stored as ${JSON.stringify(query)}, but one player in other letters: ${player.id}`,
      )
    }
    return player
  }
  if (player === undefined)
    return yield* refuse(`No player has the id or the e-mail ${JSON.stringify(query)}`)
  const ids = found.map(({ id, score }) => `  ${id} (score ${score})`).join("\n")
  return yield* refuse(`Several players have this e-mail; name one by id:\n${ids}`)
})

const report = (line: object) => Console.log(JSON.stringify(line))

interface ModerationFlags {
  readonly user: string
  readonly reason: string
  readonly by: string
}

const setHidden = (hidden: boolean) =>
  Effect.fnUntraced(function* ({ user, reason, by }: ModerationFlags) {
    const { id } = yield* findOne(user)
    const score = yield* (yield* SqlModeration).setHidden(hidden, { userId: id, actor: by, reason })
    yield* report({ userId: id, hidden, changed: score !== undefined })
  })

const correct = Effect.fnUntraced(function* ({
  user,
  reason,
  by,
  amount,
}: ModerationFlags & { readonly amount: number }) {
  const player = yield* findOne(user)
  const score = yield* (yield* SqlModeration).correct(amount, { userId: player.id, actor: by, reason })
  if (score === undefined) return yield* refuse(`The score is ${player.score}: it cannot go below 0`)
  yield* report({ userId: player.id, amount, score })
})

const endSignIns = Effect.fnUntraced(function* ({ user, reason, by }: ModerationFlags) {
  const { id } = yield* findOne(user)
  const at = yield* (yield* SqlModeration).endSignIns({ userId: id, actor: by, reason })
  yield* report({ userId: id, signedOutAt: at })
})

/** Writes every row as one line of JSON; reads a page only after the page before was written. */
const exportHistory = Effect.fnUntraced(function* ({ user }: { readonly user: Option.Option<string> }) {
  const sql = yield* SqlModeration
  const userId = Option.isSome(user) ? (yield* findOne(user.value)).id : undefined
  let after: ExportCursor | undefined
  yield* Stream.fromEffect(
    Effect.suspend(() => sql.exportHistory({ userId, after, limit: EXPORT_ROWS })),
  ).pipe(
    Stream.forever,
    Stream.takeUntil((page) => page.length < EXPORT_ROWS),
    Stream.runForEach((page) => {
      after = page.at(-1)
      return Effect.forEach(page, report, { discard: true })
    }),
  )
})

const Amount = Schema.Int.check(
  Schema.isBetween({ minimum: -MAX_CORRECTION, maximum: MAX_CORRECTION }),
  Schema.makeFilter((amount) => amount !== 0, { expected: "not 0" }),
)

/** `admin hide`, `restore`, `correct`, `sessions end` and `history export`. `by` is the operator's name when `--by` is absent. */
export const moderation = (by: string) => {
  const user = Argument.String("user").pipe(
    Argument.withDescription("The player's id, or e-mail in any case"),
  )
  const who = {
    user,
    reason: Flag.String("reason").pipe(
      Flag.withDescription("Why; the history records it"),
      Flag.withSchema(Schema.NonEmptyString),
    ),
    by: Flag.String("by").pipe(
      Flag.withDescription("Who does it; the history records it"),
      Flag.withSchema(Schema.NonEmptyString),
      Flag.withDefault(by),
    ),
  }
  const amount = Flag.Int("amount").pipe(
    Flag.withDescription(`Points to add, or to subtract with a minus sign; at most ${MAX_CORRECTION}`),
    Flag.withSchema(Amount),
  )
  return {
    hide: Command.make("hide", who, setHidden(true)).pipe(
      Command.withDescription("Take a player off the board and refuse their increments"),
    ),
    restore: Command.make("restore", who, setHidden(false)).pipe(
      Command.withDescription("Put a hidden player back on the board"),
    ),
    correct: Command.make("correct", { ...who, amount }, correct).pipe(
      Command.withDescription("Add points to a score, or subtract them"),
    ),
    sessions: Command.make("sessions").pipe(
      Command.withDescription("The sign-ins of a player"),
      Command.withSubcommands([
        Command.make("end", who, endSignIns).pipe(
          Command.withDescription("End all sign-ins of a player: every token that exists is refused"),
        ),
      ]),
    ),
    history: Command.make("history").pipe(
      Command.withDescription("Read what happened to every score"),
      Command.withSubcommands([
        Command.make("export", { user: Flag.String("user").pipe(Flag.optional) }, exportHistory).pipe(
          Command.withDescription("Print the history as JSON, one event per line"),
        ),
      ]),
    ),
  }
}
