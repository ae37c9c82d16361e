import { mkdir, rm } from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type { Redis as Client } from "ioredis"
import { until } from "../fixtures.ts"

/** Makes a redis-server answer reads and refuse writes; gives what ends that. */
export type Refuse = (client: Client) => Effect.Effect<Effect.Effect<unknown>>

const set = (client: Client, name: string, value: string) =>
  Effect.promise(() => client.config("SET", name, value))

const refuseBy =
  (name: string, refusing: string, usual: string): Refuse =>
  (client) =>
    Effect.as(set(client, name, refusing), set(client, name, usual))

/**
 * A folder takes the place of the snapshot's file. Redis keeps its own folder: without that it could never again store
 * what it receives as a replica.
 */
const cannotSave: Refuse = (client) =>
  Effect.gen(function* () {
    const [, dir = ""] = yield* Effect.promise(() => client.config("GET", "dir"))
    const snapshot = join(dir, "dump.rdb")
    const clear = Effect.promise(() => rm(snapshot, { recursive: true, force: true }))
    yield* clear
    yield* Effect.promise(() => mkdir(snapshot))
    yield* set(client, "stop-writes-on-bgsave-error", "yes")
    yield* set(client, "save", "3600 1")
    yield* Effect.promise(() => client.bgsave())
    const state = Effect.promise(() => client.info("persistence"))
    yield* until("the save fails", state, (text) => text.includes("rdb_last_bgsave_status:err"))
    return set(client, "stop-writes-on-bgsave-error", "no").pipe(
      Effect.andThen(set(client, "save", "")),
      Effect.andThen(clear),
    )
  })

/** Ways to refuse writes without being a replica, by the code that clients are told. */
export const REFUSALS = {
  OOM: refuseBy("maxmemory", "1", "0"),
  // One replica would be enough after a failover.
  NOREPLICAS: refuseBy("min-replicas-to-write", "2", "0"),
  MISCONF: cannotSave,
} as const satisfies Readonly<Record<string, Refuse>>

export type Refusal = keyof typeof REFUSALS
