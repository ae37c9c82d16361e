import { performance } from "node:perf_hooks"
import * as Effect from "effect/Effect"
import { UserId } from "../src/domain/Score.ts"
import { milliseconds, quantile } from "./ranksStatistics.ts"

/**
 * A server for ten million players, not for a laptop; it writes to the disk before it answers. `shared_buffers` is what
 * a machine of 8 GB would give: a quarter. Ten million players with their indexes are more than that.
 */
export const SERVER = { shared_buffers: "2GB", max_wal_size: "8GB", maintenance_work_mem: "512MB" }

/** The synthetic player of this number, from 1 on. */
export const playerAt = (number: number) => UserId.make(`synthetic-${String(number).padStart(10, "0")}`)

/** Any of so many. */
export const somebody = (players: number) => playerAt(1 + Math.floor(Math.random() * players))

let keys = 0
/** So many increments, each with a key that was never used. */
export const batchOf = (size: number, who: () => UserId) =>
  Array.from({ length: size }, () => ({
    userId: who(),
    email: undefined,
    key: `key-${keys++}`,
    tokenId: undefined,
  }))

/** Runs a call again and again, one at a time, and gives the milliseconds of each. */
export const latencies = Effect.fnUntraced(function* (
  call: () => Effect.Effect<unknown, unknown>,
  until: () => boolean,
) {
  const samples: Array<number> = []
  while (!until()) samples.push(yield* milliseconds(call()))
  return samples
})

/** Over after so many. */
export const times = (count: number) => {
  let done = 0
  return () => done++ >= count
}

/** Over after so many seconds from now. */
export const forSeconds = (seconds: number) => {
  const end = performance.now() + seconds * 1000
  return () => performance.now() > end
}

/** The median and the 99th percentile in words. */
export const told = (samples: ReadonlyArray<number>) =>
  `p50 ${quantile(samples, 0.5).toFixed(3)} ms, p99 ${quantile(samples, 0.99).toFixed(3)} ms (${samples.length})`

/** A call every 10 ms, on its own clock: late ones are not forgiven. Gives the calls per second. */
export const everyTenMillis = Effect.fnUntraced(function* (
  call: () => Effect.Effect<unknown, unknown>,
  until: () => boolean,
) {
  const begun = performance.now()
  const pending: Array<Promise<unknown>> = []
  let sent = 0
  while (!until()) {
    const due = Math.floor((performance.now() - begun) / 10)
    for (; sent < due; sent++) pending.push(Effect.runPromise(call()))
    yield* Effect.sleep("2 millis")
  }
  yield* Effect.promise(() => Promise.all(pending))
  return sent / ((performance.now() - begun) / 1000)
})
