import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

/** A counter that is split by one label. */
export interface LabelledCounter<Value extends string> {
  /** Counts `by` more (default 1) under a value of the label. */
  add(value: Value, by?: number): Effect.Effect<void>
  /** The same where no effect can run. */
  addUnsafe(value: Value, context: Context.Context<never>, by?: number): void
}

/** Makes a counter whose label has only the values listed: each series is looked up once, not at every count. */
export const labelledCounter = <const Value extends string>(options: {
  readonly name: string
  readonly description: string
  readonly label: string
  readonly values: ReadonlyArray<Value>
}): LabelledCounter<Value> => {
  const counter = Metric.counter(options.name, { description: options.description, incremental: true })
  const series = new Map(
    options.values.map((value) => [value, Metric.withAttributes(counter, { [options.label]: value })]),
  )
  const seriesOf = (value: Value) => series.get(value) ?? counter
  return {
    add: (value, by = 1) => Metric.update(seriesOf(value), by),
    addUnsafe: (value, context, by = 1) => seriesOf(value).updateUnsafe(by, context),
  }
}
