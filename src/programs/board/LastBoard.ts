import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { isOlder } from "../../domain/NewerBoard.ts"
import type { BoardEmail } from "../../domain/Messages.ts"
import type { Board } from "../../domain/Score.ts"
import { decodeBoard, show, type ShownBoard } from "./ShownBoard.ts"

/**
 * The board that this process showed last. It is remembered for two reasons: an unchanged text in Redis is not decoded
 * again, and no viewer is shown an older board after a newer one.
 */
export interface LastBoard {
  /** The board to show for a text from Redis; none, with an error in the log, if the text is no board. */
  fromRedis(text: string): Effect.Effect<Option.Option<ShownBoard>>
  /** The board to show for one that PostgreSQL gave: always that one. */
  fromPostgres(board: Board): ShownBoard
}

export const makeLastBoard = (boardEmail: BoardEmail): LastBoard => {
  /** `text` is what Redis had; undefined if the board came from PostgreSQL. */
  let last: { readonly text: string | undefined; readonly shown: ShownBoard } | undefined

  const remember = (text: string | undefined, shown: ShownBoard) => {
    last = { text, shown }
    return shown
  }

  const decode = (text: string) =>
    Effect.map(
      decodeBoard(text),
      Option.map((update) =>
        // A Redis that was emptied accepts a board selected before the one it lost; the next refresh replaces it.
        last !== undefined && isOlder(update, last.shown.update)
          ? last.shown
          : remember(text, show(update, boardEmail)),
      ),
    )

  return {
    fromRedis: (text) => (last?.text === text ? Effect.succeed(Option.some(last.shown)) : decode(text)),
    fromPostgres: (board) => remember(undefined, show(board, boardEmail)),
  }
}
