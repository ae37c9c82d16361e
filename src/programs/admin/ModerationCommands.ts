import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { type ExportCursor, SqlModeration } from "../../services/Sql/SqlModeration.ts"
import { findOne, type ModerationFlags, moderationFlags, report } from "./AdminPlayer.ts"

/** Rows of the history that one statement reads. */
const EXPORT_ROWS = 1_000

const setHidden = (hidden: boolean) =>
  Effect.fnUntraced(function* ({ user, reason, by }: ModerationFlags) {
    const { id } = yield* findOne(user)
    const score = yield* (yield* SqlModeration).setHidden(hidden, { userId: id, actor: by, reason })
    yield* report({ userId: id, hidden, changed: score !== undefined })
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

/** `admin hide`, `restore`, `sessions end` and `history export`. `by` is the operator's name when `--by` is absent. */
export const moderation = (by: string) => {
  const who = moderationFlags(by)
  return {
    hide: Command.make("hide", who, setHidden(true)).pipe(
      Command.withDescription("Take a player off the board and refuse their increments"),
    ),
    restore: Command.make("restore", who, setHidden(false)).pipe(
      Command.withDescription("Put a hidden player back on the board"),
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
