import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { BOARD_SIZE } from "../../src/domain/Score.ts"
import { boardStatement } from "../../src/services/Sql/SqlBoard.ts"
import { commitIncrements } from "../../src/services/Sql/SqlCommit.ts"
import { batchOf, everyTenMillis, forSeconds, latencies, playerAt, somebody } from "../players.ts"
import { quantile } from "../ranksStatistics.ts"
import { compared, type Side, type Sides } from "./sides.ts"

/** How long one round reads the board. */
const SECONDS = 2

/** Ten increments: nine of random players and one of a top player, so that the board itself changes. */
export const increments = (side: Side, top: ReadonlyArray<string>) => {
  let next = 0
  return () =>
    commitIncrements(side.load, [
      ...batchOf(9, () => somebody(side.players)),
      ...batchOf(1, () => playerAt(Number(top[next++ % top.length]?.slice(-10)))),
    ])
}

/** The ids of the players on the board. */
export const topOf = Effect.fnUntraced(function* (side: Side) {
  const rows = yield* side.sql<{ readonly user_id: string }>`
select user_id from scores where not hidden order by score desc, reached, user_id limit ${BOARD_SIZE}`
  return rows.map((row) => row.user_id)
})

/** Measures the board's statement on both sides in turns, idle and under load: one line of a table per figure. */
export const board = Effect.fnUntraced(function* (sides: Sides, rounds: number) {
  for (const loaded of [false, true]) {
    const p50: [Array<number>, Array<number>] = [[], []]
    const p99: [Array<number>, Array<number>] = [[], []]
    for (let round = 0; round < rounds; round++) {
      for (const [index, side] of sides.entries()) {
        const increment = increments(side, yield* topOf(side))
        const over = forSeconds(SECONDS)
        const [samples] = yield* Effect.all(
          [
            latencies(() => boardStatement(side.sql, BOARD_SIZE), over),
            loaded ? everyTenMillis(increment, over) : Effect.void,
          ],
          { concurrency: 2 },
        )
        p50[index]?.push(quantile(samples, 0.5))
        p99[index]?.push(quantile(samples, 0.99))
      }
    }
    const state = loaded ? "under 1,000 increments/s" : "idle"
    yield* Console.log(`| top ${BOARD_SIZE}, ${state}, p50 ms | ${compared(...p50, 3)} |`)
    yield* Console.log(`| top ${BOARD_SIZE}, ${state}, p99 ms | ${compared(...p99, 2)} |`)
  }
})
