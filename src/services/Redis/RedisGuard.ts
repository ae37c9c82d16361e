import * as Effect from "effect/Effect"
import { monotonicMillis } from "../../foundation/MonotonicTime.ts"
import { type Redis, RedisFailure } from "./Redis.ts"

/** One failure may be of one command alone; three without a success between them are an outage. */
const FAILURES_OF_AN_OUTAGE = 3

/**
 * How long commands fail at once before one is sent again, in milliseconds. Long beside the 20 ms for which a caller
 * waits; short beside the two seconds within which boards are current after an outage.
 */
const PAUSE_MILLIS = 1_000

/** Keeps commands from a Redis that is unavailable. */
export interface RedisGuard {
  /**
   * The same Redis, but after three failures in a row its commands fail at once. One caller per second is let through
   * as a probe; its success ends the outage. All commands count together, except `ping`, which is sent in an outage too:
   * health asks it.
   */
  protect(redis: Redis["Service"]): Redis["Service"]
  /** Begins an outage at once: call it when a time limit has passed. */
  trip(): void
  /** Call when Redis refused a write: until `accept`, `readBoard`, `take` and `ping` fail at once. */
  refuse(reason: string): void
  /** Call when Redis may accept writes (again). */
  accept(): void
  /** Ends an outage at once: call it when a connection is established or a late command was answered. */
  reset(): void
}

/** Makes a guard that counts for one connection, in this process alone. */
export const makeRedisGuard = (): RedisGuard => {
  let failures = 0
  /** Why Redis refuses writes; undefined while it does not. */
  let refusal: string | undefined
  /** When the next command is sent during an outage; undefined = a pause begins with the next caller. */
  let probeAt: number | undefined = 0

  const count = Effect.map(monotonicMillis, (now) => {
    failures += 1
    probeAt = now + PAUSE_MILLIS
  })
  // A late command is still under way: its outcome calls `trip` or `reset`.
  const failed = (error: RedisFailure) => (error.isLate === true ? Effect.void : count)
  const succeeded = Effect.sync(() => {
    failures = 0
  })

  const afterFailures = <A>(operation: RedisFailure["operation"], command: Effect.Effect<A, RedisFailure>) =>
    Effect.flatMap(monotonicMillis, (now) => {
      if (failures >= FAILURES_OF_AN_OUTAGE) {
        probeAt ??= now + PAUSE_MILLIS
        if (now < probeAt) {
          const cause = new Error("Redis does not work; commands are not sent for a second")
          return Effect.fail(new RedisFailure({ operation, cause }))
        }
        // This caller is the probe. The next one is let through a second later, also if this one is interrupted.
        probeAt = now + PAUSE_MILLIS
      }
      return Effect.tap(Effect.tapError(command, failed), succeeded)
    })

  // While Redis works a command costs one comparison more: every board that is read and every increment passes here.
  const guard = <A>(operation: RedisFailure["operation"], command: Effect.Effect<A, RedisFailure>) =>
    Effect.suspend(() =>
      failures === 0 ? Effect.tapError(command, failed) : afterFailures(operation, command),
    )

  // The worker's writes are refused as well, so the board in the key may be old.
  const whileWritable = <A>(operation: RedisFailure["operation"], command: Effect.Effect<A, RedisFailure>) =>
    Effect.suspend(() =>
      refusal === undefined
        ? command
        : Effect.fail(new RedisFailure({ operation, cause: new Error(`Redis refuses writes: ${refusal}`) })),
    )

  return {
    protect: (redis) => ({
      ...redis,
      readBoard: whileWritable("readBoard", guard("readBoard", redis.readBoard)),
      writeBoard: (board) => guard("writeBoard", redis.writeBoard(board)),
      renewBoard: guard("renewBoard", redis.renewBoard),
      take: (bucket) => whileWritable("take", guard("take", redis.take(bucket))),
      ping: whileWritable("ping", redis.ping),
    }),
    refuse: (reason) => {
      refusal = reason
    },
    accept: () => {
      if (refusal !== undefined) failures = 0
      refusal = undefined
    },
    trip: () => {
      failures = FAILURES_OF_AN_OUTAGE
      probeAt = undefined
    },
    reset: () => {
      failures = 0
    },
  }
}
