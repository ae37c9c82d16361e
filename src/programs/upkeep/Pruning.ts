import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import { SqlUpkeep } from "../../services/Sql/SqlUpkeep.ts"
import { survivingDefects } from "../../foundation/SurvivingDefects.ts"

/** How often old keys are looked for: a key may be known a little longer than promised, never shorter. */
const EVERY = "1 minute"

/** Keys of one statement: a few milliseconds, so that nobody who writes has to wait for longer. */
const BATCH = 1000

/** Between two statements, while there is more: most of the time is left to those who write. */
const PAUSE = "50 millis"

const pruned = Metric.counter("idempotency_keys_pruned_total", {
  description: "Keys deleted because they were older than a day.",
  incremental: true,
})

/** Deletes the idempotency keys that are older than a day. Any number of processes may do it at a time. */
export const Pruning = Layer.effectDiscard(
  Effect.gen(function* () {
    const sql = yield* SqlUpkeep

    const prune = Effect.gen(function* () {
      while (true) {
        const rows = yield* sql.pruneKeys(BATCH)
        yield* Metric.update(pruned, rows)
        if (rows < BATCH) return
        yield* Effect.sleep(PAUSE)
      }
    }).pipe(Effect.catch((error) => Effect.logWarning("Old idempotency keys could not be deleted", error)))

    yield* Effect.forkScoped(
      Effect.repeat(survivingDefects("Pruning")(prune), Schedule.jittered(Schedule.spaced(EVERY))),
    )
  }),
)
