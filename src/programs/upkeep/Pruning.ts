import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import { SqlUpkeep } from "../../services/Sql/SqlUpkeep.ts"
import { upkeep } from "./Upkeep.ts"

const pruned = Metric.counter("idempotency_keys_pruned_total", {
  description: "Keys deleted because they were older than a day.",
  incremental: true,
})

/** Deletes idempotency keys that are older than a day. Any number of processes may do it at once. */
export const Pruning = Layer.effectDiscard(
  Effect.flatMap(SqlUpkeep, (sql) =>
    upkeep({
      what: "old idempotency keys",
      // A key may be recognised a little longer than promised, never for a shorter time.
      every: Schedule.jittered(Schedule.spaced("1 minute")),
      // A few milliseconds.
      rows: 1000,
      // Most of the time is left to increments, which write the same table.
      pause: "50 millis",
      // Keys become old as fast as increments are counted: a limit could leave a backlog that only grows.
      statements: Number.POSITIVE_INFINITY,
      run: (rows) => Effect.tap(sql.pruneKeys(rows), (deleted) => Metric.update(pruned, deleted)),
    }),
  ),
)
