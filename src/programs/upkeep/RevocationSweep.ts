import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { SqlUpkeep } from "../../services/Sql/SqlUpkeep.ts"
import { survivingDefects } from "../../foundation/SurvivingDefects.ts"

/** How often revocations of expired tokens are forgotten: they do no harm, they only take room. */
const SWEEP_EVERY = "10 minutes"

/** Rows of one statement: some 10 ms, far below the statement's limit. */
const SWEEP_ROWS = 1000

/** Statements of one sweep, so that a large backlog goes in steps and nobody else waits for it. */
const SWEEP_STATEMENTS = 100

/** Forgets the revocations of tokens that expired anyway, in bounded steps. Any number of processes may run it. */
export const RevocationSweep = Layer.effectDiscard(
  Effect.gen(function* () {
    const sql = yield* SqlUpkeep
    const sweep = sql.pruneRevoked(SWEEP_ROWS).pipe(
      Effect.repeat({ while: (pruned) => pruned === SWEEP_ROWS, times: SWEEP_STATEMENTS - 1 }),
      Effect.catch((error) => Effect.logWarning("Old revocations could not be removed", error)),
    )
    yield* Effect.forkScoped(
      Effect.repeat(survivingDefects("The sweep of revocations")(sweep), Schedule.spaced(SWEEP_EVERY)),
    )
  }),
)
