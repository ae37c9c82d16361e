import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { SqlUpkeep } from "../../services/Sql/SqlUpkeep.ts"
import { upkeep } from "./Upkeep.ts"

/** Deletes the revocations of expired tokens, in bounded steps. Any number of processes may do it at once. */
export const RevocationSweep = Layer.effectDiscard(
  Effect.flatMap(SqlUpkeep, (sql) =>
    upkeep({
      what: "revocations of expired tokens",
      // They do no harm; they only take room.
      every: Schedule.spaced("10 minutes"),
      // Some 10 ms, far below the statement's time limit.
      rows: 1000,
      // Only logouts write this table.
      pause: 0,
      // A large backlog is deleted over several turns.
      statements: 100,
      run: (rows) => sql.pruneRevoked(rows),
    }),
  ),
)
