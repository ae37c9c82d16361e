import * as Effect from "effect/Effect"
import * as Hash from "effect/Hash"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import {
  type BoardEmail,
  type BoardUpdate,
  BoardUpdateJson,
  encodePublicBoard,
} from "../../domain/Messages.ts"

/** A board ready to be shown. It is made once per change, however many viewers ask for it. */
export interface ShownBoard {
  readonly update: BoardUpdate
  /** `{"scores":[…]}`: the same for every viewer. */
  readonly json: string
  /**
   * Strong entity tag, quotes included. Clients read epoch and version in it: `"<epoch>-<version>"`, followed by
   * `-masked` inside the quotes where addresses are masked. The tag of a board without a stamp ends with `-unstamped`.
   */
  readonly etag: string
}

/** Makes a board ready to be shown. */
export const show = (update: BoardUpdate, boardEmail: BoardEmail = "full"): ShownBoard => {
  const json = encodePublicBoard(update.scores, boardEmail)
  const etag =
    update.epoch === undefined || update.version === undefined
      ? `"${json.length}-${Hash.string(json)}-unstamped"`
      : `"${update.epoch}-${update.version}${boardEmail === "masked" ? "-masked" : ""}"`
  return { update, json, etag }
}

const decodeUpdate = Schema.decodeUnknownEffect(BoardUpdateJson)

/** Decodes a board that Redis stored or published. A text that is no board gives none and an error in the log. */
export const decodeBoard = (json: string): Effect.Effect<Option.Option<BoardUpdate>> =>
  decodeUpdate(json).pipe(
    Effect.map(Option.some),
    Effect.catch((cause) =>
      Effect.as(Effect.logError("A board in Redis is not valid and was not shown", cause), Option.none()),
    ),
  )
