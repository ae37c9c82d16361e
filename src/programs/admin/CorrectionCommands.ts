import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { HistoryCursor } from "../../domain/PlayerHistory.ts"
import { HIGHEST_SET_SCORE } from "../../domain/Score.ts"
import { SqlModeration } from "../../services/Sql/SqlModeration.ts"
import { findOne, type ModerationFlags, moderationFlags, report } from "./AdminPlayer.ts"
import { refuse } from "./AdminRefused.ts"

const Amount = Schema.Int.check(
  Schema.isBetween({ minimum: -HIGHEST_SET_SCORE, maximum: HIGHEST_SET_SCORE }),
  Schema.makeFilter((amount) => amount !== 0, { expected: "not 0" }),
)

/** As long as a client's key: the index takes no text of any length. */
const Key = Schema.String.check(
  Schema.isPattern(/^[!-~]{1,255}$/u, { expected: "1 to 255 printable ASCII characters without a space" }),
)

const refuseScore = (score: number) =>
  refuse(`The score is ${score}: it cannot go below 0 or above ${HIGHEST_SET_SCORE}`)

const correct = Effect.fnUntraced(function* (
  flags: ModerationFlags & { readonly amount: number; readonly key: Option.Option<string> },
) {
  const { amount, by, reason } = flags
  const { id, score } = yield* findOne(flags.user)
  const key = Option.getOrUndefined(flags.key)
  const outcome = yield* (yield* SqlModeration).correct({ amount, key }, { userId: id, actor: by, reason })
  switch (outcome._tag) {
    case "Corrected": {
      const { eventId, repeated } = outcome
      return yield* report({ userId: id, amount, score: outcome.score, event: eventId, repeated })
    }
    case "KeyTaken":
      return yield* refuse(
        `The key ${key} has counted already, for another correction: event ${outcome.eventId} added ${outcome.amount} to the score of ${outcome.userId}. Nothing was changed`,
      )
    case "OutOfRange":
      return yield* refuseScore(score)
  }
})

const undo = Effect.fnUntraced(function* (flags: ModerationFlags & { readonly event: string }) {
  const { by, event, reason } = flags
  const { id, score } = yield* findOne(flags.user)
  const outcome = yield* (yield* SqlModeration).undo(event, { userId: id, actor: by, reason })
  switch (outcome._tag) {
    case "Undone": {
      const { amount, eventId } = outcome
      return yield* report({ userId: id, amount, score: outcome.score, event: eventId, undoes: event })
    }
    case "NotACorrection":
      return yield* refuse(
        outcome.kind === undefined
          ? `The player ${id} has no event ${event}`
          : `Event ${event} is no correction: its kind is ${outcome.kind}`,
      )
    case "UndoneAlready":
      return yield* refuse(`Event ${event} was undone already, by event ${outcome.eventId}`)
    case "OutOfRange":
      return yield* refuseScore(score)
  }
})

const amountFlag = Flag.Int("amount").pipe(
  Flag.withDescription("Points to add, or to subtract with a minus sign"),
  Flag.withSchema(Amount),
)

const keyFlag = Flag.String("key").pipe(
  Flag.withDescription("A name for this correction: repeated under the same name, it counts once"),
  Flag.withSchema(Key),
  Flag.optional,
)

const eventFlag = Flag.String("event").pipe(
  Flag.withDescription("The correction's event, as `correct` and `history export` give it"),
  Flag.withSchema(HistoryCursor),
)

/** `admin correct` and `undo`. `by` is the operator's name when `--by` is absent. */
export const corrections = (by: string) => ({
  correct: Command.make(
    "correct",
    { ...moderationFlags(by), amount: amountFlag, key: keyFlag },
    correct,
  ).pipe(Command.withDescription("Add points to a score, or subtract them")),
  undo: Command.make("undo", { ...moderationFlags(by), event: eventFlag }, undo).pipe(
    Command.withDescription("Take a correction back: the player stands where they would without it"),
  ),
})
