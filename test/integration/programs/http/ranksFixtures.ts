import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { increment, signIn } from "./fixtures.ts"

/** The board after `raiseThree`: two players share the first place. */
export const FIRST = [
  { rank: 1, email: "player1@example.com", score: 2 },
  { rank: 1, email: "player2@example.com", score: 2 },
]
export const LAST = { rank: 3, email: "player0@example.com", score: 1 }

/** Three players in turn raise their scores to 1, 2 and 2. Gives their access tokens. */
export const raiseThree = Effect.forEach([1, 2, 2], (times, player) =>
  Effect.gen(function* () {
    const token = yield* signIn(player)
    for (let n = 0; n < times; n++) assert.strictEqual((yield* increment(token)).status, 200)
    return token
  }),
)
