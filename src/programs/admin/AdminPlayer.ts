import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import { SqlModeration } from "../../services/Sql/SqlModeration.ts"
import { refuse } from "./AdminRefused.ts"

/** The one player whom an operator names by id or e-mail. */
export const findOne = Effect.fnUntraced(function* (query: string) {
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

/** Prints one line of JSON. */
export const report = (line: object) => Console.log(JSON.stringify(line))

/** What every command on a player is given. */
export interface ModerationFlags {
  readonly user: string
  readonly reason: string
  readonly by: string
}

/** The player, the reason and the operator, whose name is `by` when `--by` is absent. */
export const moderationFlags = (by: string) => ({
  user: Argument.String("user").pipe(Argument.withDescription("The player's id, or e-mail in any case")),
  reason: Flag.String("reason").pipe(
    Flag.withDescription("Why; the history records it"),
    Flag.withSchema(Schema.NonEmptyString),
  ),
  by: Flag.String("by").pipe(
    Flag.withDescription("Who does it; the history records it"),
    Flag.withSchema(Schema.NonEmptyString),
    Flag.withDefault(by),
  ),
})
