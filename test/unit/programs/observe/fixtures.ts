import * as Effect from "effect/Effect"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import type { Hop } from "../../../../src/programs/observe/Freshness.ts"

/** What /metrics says of a hop: how many values, and their sum in seconds. */
const figures = (hop: Hop) =>
  Effect.map(PrometheusMetrics.format(), (text) => {
    const value = (name: string) =>
      Number(new RegExp(`^board_freshness_seconds_${name}\\{hop="${hop}"\\} (.*)$`, "m").exec(text)?.[1] ?? 0)
    return { count: value("count"), sum: value("sum") }
  })

/** What a run of `effect` adds to a hop, the sum rounded to a millisecond. */
export const hopDuring = Effect.fnUntraced(function* <A, E, R>(hop: Hop, effect: Effect.Effect<A, E, R>) {
  const before = yield* figures(hop)
  yield* effect
  const after = yield* figures(hop)
  return { count: after.count - before.count, millis: Math.round((after.sum - before.sum) * 1000) }
})
