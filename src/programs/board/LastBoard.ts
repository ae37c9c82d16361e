import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { isOlder } from "../../domain/NewerBoard.ts"
import type { BoardEmail, BoardUpdate } from "../../domain/Messages.ts"
import type { Board } from "../../domain/Score.ts"
import { decodeBoard, show, type ShownBoard } from "./ShownBoard.ts"

/** What becomes of a board from Redis. */
export type RedisBoard =
  /** The board to show. */
  | { readonly _tag: "Shown"; readonly shown: ShownBoard }
  /**
   * The board is of an epoch that this process does not know, and epochs have no order: it may be the first after a
   * restore, or one from before, which Redis loaded from its disk or a slow worker wrote late. PostgreSQL decides.
   */
  | {
      readonly _tag: "UnknownEpoch"
      /** The board to show if PostgreSQL gave this one. */
      decide(current: Board): ShownBoard
      /** The board to show while PostgreSQL is unavailable. */
      withoutPostgres(): ShownBoard
    }

/**
 * The board that this process showed last. It is remembered for two reasons: an unchanged text in Redis is not decoded
 * again, and no viewer is shown an older board after a newer one.
 */
export interface LastBoard {
  /** What becomes of a text from Redis; none, with an error in the log, if the text is no board. */
  fromRedis(text: string): Effect.Effect<Option.Option<RedisBoard>>
  /** The board to show for one that PostgreSQL gave: always that one. */
  fromPostgres(board: Board): ShownBoard
}

interface Shown {
  /** What Redis had; undefined if the board came from PostgreSQL. */
  readonly text: string | undefined
  readonly shown: ShownBoard
}

export const makeLastBoard = (boardEmail: BoardEmail): LastBoard => {
  let last: Shown | undefined
  /** The epoch of the last board that had a stamp. */
  let epoch: string | undefined

  const remember = (text: string | undefined, shown: ShownBoard) => {
    last = { text, shown }
    epoch = shown.update.epoch ?? epoch
    return shown
  }
  const fromPostgres = (board: Board) => remember(undefined, show(board, boardEmail))

  const ofUnknownEpoch = (text: string, update: BoardUpdate): RedisBoard => ({
    _tag: "UnknownEpoch",
    decide: (current) =>
      isOlder(current, update) ? remember(text, show(update, boardEmail)) : fromPostgres(current),
    // The process stays with what it knows. Only one that knows nothing believes Redis.
    withoutPostgres: () =>
      last === undefined || epoch === undefined ? remember(text, show(update, boardEmail)) : last.shown,
  })

  const judge = (text: string, update: BoardUpdate): RedisBoard => {
    if (update.epoch !== undefined && update.epoch !== epoch) return ofUnknownEpoch(text, update)
    // A Redis that was emptied accepts a board selected before the one it lost; the next refresh replaces it.
    if (last !== undefined && isOlder(update, last.shown.update)) return { _tag: "Shown", shown: last.shown }
    return { _tag: "Shown", shown: remember(text, show(update, boardEmail)) }
  }

  return {
    fromRedis: (text) =>
      last?.text === text
        ? Effect.succeedSome<RedisBoard>({ _tag: "Shown", shown: last.shown })
        : Effect.map(
            decodeBoard(text),
            Option.map((update) => judge(text, update)),
          ),
    fromPostgres,
  }
}
