import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import { survivingDefects } from "../../foundation/SurvivingDefects.ts"
import { SqlUpkeep } from "../../services/Sql/SqlUpkeep.ts"

/** A backup of a small database takes less; at 300 commits a second, 90,000 rows of the outbox are dead by then. */
const WARN_AFTER_SECONDS = 300

const oldest = Metric.gauge("postgres_oldest_snapshot_seconds", {
  description: "Age of the oldest transaction that keeps dead rows in the tables; 0 without one.",
})

/** Measures the oldest snapshot every 15 s, and warns once of each that becomes five minutes old. */
export const SnapshotWatch = Layer.effectDiscard(
  Effect.gen(function* () {
    const sql = yield* SqlUpkeep
    /** The one that was warned of, while it is the oldest. */
    let warnedOf: string | undefined
    const look = Effect.gen(function* () {
      const found = yield* sql.oldestSnapshot
      yield* Metric.update(oldest, found?.seconds ?? 0)
      if (found === undefined || found.seconds < WARN_AFTER_SECONDS) {
        warnedOf = undefined
        return
      }
      const { seconds, pid, name } = found
      const holder = `${pid} ${name}`
      if (holder === warnedOf) return
      warnedOf = holder
      yield* Effect.annotateLogs(
        Effect.logWarning("An old transaction keeps dead rows and slows commits down"),
        { seconds: Math.floor(seconds), ...(pid === undefined ? {} : { pid }), name },
      )
    }).pipe(Effect.catch((error) => Effect.logWarning("The oldest snapshot could not be read", error)))
    yield* Effect.forkScoped(
      Effect.repeat(survivingDefects("The watch of snapshots")(look), Schedule.spaced("15 seconds")),
    )
  }),
)
