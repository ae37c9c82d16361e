import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import { monitorEventLoopDelay, performance } from "node:perf_hooks"
import process from "node:process"

/** How often the delay of the event loop is sampled, in milliseconds: half of the smallest delay that matters. */
const RESOLUTION_MILLIS = 10

const residentBytes = Metric.gauge("process_resident_memory_bytes", { description: "Resident set size." })
const heapBytes = Metric.gauge("nodejs_heap_size_used_bytes", { description: "JavaScript heap in use." })
const cpuSeconds = Metric.gauge("process_cpu_seconds_total", {
  description: "User and system time used so far.",
})
const startedAt = Metric.gauge("process_start_time_seconds", { description: "Start, in seconds since 1970." })
const lagSeconds = Metric.gauge("nodejs_eventloop_lag_p99_seconds", {
  description: "99th percentile of the event loop's delay since the last reading.",
})

/** Memory, CPU and event loop of this process, as gauges. */
export class ProcessMetrics extends Context.Service<
  ProcessMetrics,
  {
    /** Updates the gauges. Run it before they are read. */
    readonly sample: Effect.Effect<void>
  }
>()("scoreboard/services/ProcessMetrics") {
  static readonly layer = Layer.effect(
    ProcessMetrics,
    Effect.gen(function* () {
      const delay = yield* Effect.acquireRelease(
        Effect.sync(() => {
          const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MILLIS })
          histogram.enable()
          return histogram
        }),
        (histogram) => Effect.sync(() => histogram.disable()),
      )
      const sample = Effect.gen(function* () {
        const memory = process.memoryUsage()
        const cpu = process.cpuUsage()
        yield* Metric.update(residentBytes, memory.rss)
        yield* Metric.update(heapBytes, memory.heapUsed)
        yield* Metric.update(cpuSeconds, (cpu.user + cpu.system) / 1e6)
        yield* Metric.update(startedAt, Math.floor(performance.timeOrigin / 1000))
        yield* Metric.update(lagSeconds, Math.max(0, delay.percentile(99) / 1e9 - RESOLUTION_MILLIS / 1000))
        delay.reset()
      })
      return ProcessMetrics.of({ sample })
    }),
  )
}
