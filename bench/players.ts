import { performance } from "node:perf_hooks"
import * as Effect from "effect/Effect"
import { UserId } from "../src/domain/Score.ts"
import { milliseconds, quantile } from "./ranksStatistics.ts"

/**
 * Settings of a server for ten million players, not for a laptop; it writes to the disk before it answers.
 * `shared_buffers` is a quarter of a machine of 8 GB. Ten million players with their indexes need more than that.
 */
export const SERVER = { shared_buffers: "2GB", max_wal_size: "8GB", maintenance_work_mem: "512MB" }

/** The synthetic player with this number; the first is 1. */
export const playerAt = (number: number) => UserId.make(`synthetic-${String(number).padStart(10, "0")}`)

/** A random one of the first so many players. */
export const somebody = (players: number) => playerAt(1 + Math.floor(Math.random() * players))

let keys = 0
/** A batch of so many increments, each with a new key. */
export const batchOf = (size: number, who: () => UserId) =>
  Array.from({ length: size }, () => ({
    userId: who(),
    email: undefined,
    key: `key-${keys++}`,
    tokenId: undefined,
  }))

/** Runs a call repeatedly, one at a time, and gives the milliseconds of each. */
export const latencies = Effect.fnUntraced(function* (
  call: () => Effect.Effect<unknown, unknown>,
  until: () => boolean,
) {
  const samples: Array<number> = []
  while (!until()) samples.push(yield* milliseconds(call()))
  return samples
})

/** A limit that is reached after so many calls. */
export const times = (count: number) => {
  let done = 0
  return () => done++ >= count
}

/** A limit that is reached so many seconds from now. */
export const forSeconds = (seconds: number) => {
  const end = performance.now() + seconds * 1000
  return () => performance.now() > end
}

/** The median and the 99th percentile in words. */
export const told = (samples: ReadonlyArray<number>) =>
  `p50 ${quantile(samples, 0.5).toFixed(3)} ms, p99 ${quantile(samples, 0.99).toFixed(3)} ms (${samples.length})`

/** Makes a call every 10 ms; calls that are late are made up for. Gives the calls per second. */
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
