import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Redis as Client, Result } from "ioredis"
import { describeRedisError } from "./RedisConnection.ts"
import type { RedisGuard } from "./RedisGuard.ts"
import type { RedisSubscription } from "./RedisSubscription.ts"

/** How often a process proves that Redis takes its writes and that its subscription hears what is published. */
const HEARTBEAT = "500 millis"

/** Nobody is sure that boards arrive when this many heartbeats in a row were published and not heard: after 0.5 s. */
const UNHEARD_DOUBTFUL = 2

/** The subscriber is connected again after this many: after 1 s, which bridges a slow network. */
const UNHEARD_LOST = 3

/** While it is doubtful that boards arrive, consumers are told with every second heartbeat: once a second. */
const DOUBT_BEATS = 2

/**
 * A write that leaves nothing behind, and a message on the channel of the same name. Redis refuses the write when it
 * refuses boards: when it is full or a replica, cannot save, or has too few replicas.
 */
const BEAT = `
redis.call('SET', KEYS[1], ARGV[1], 'PX', 1000)
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', KEYS[1], ARGV[1])
`

const REFUSED_WRITE = /\b(?:OOM|MISCONF|NOREPLICAS|READONLY)\b/

/** How Redis says that the user may not use the key or the channel: outside of a script, and in one. */
const FORBIDDEN = /\bNOPERM\b|can't (?:publish|access|run)|no permissions?/i

declare module "ioredis" {
  interface RedisCommander<Context> {
    /** Defined by `keepHeartbeat`. */
    heartbeat(channel: string, beat: number): Result<null, Context>
  }
}

/** What came of a heartbeat. */
type Beat =
  | { readonly _tag: "Published" }
  | { readonly _tag: "Refused"; readonly reason: string }
  | { readonly _tag: "Forbidden"; readonly reason: string }
  | { readonly _tag: "Failed" }

const beatOf = (error: unknown): Beat => {
  const reason = describeRedisError(error)
  if (REFUSED_WRITE.test(reason)) return { _tag: "Refused", reason }
  return FORBIDDEN.test(reason) ? { _tag: "Forbidden", reason } : { _tag: "Failed" }
}

/**
 * Sends a heartbeat through `commands` twice a second until the scope ends, and expects it on `subscription`.
 * - Redis refuses the write: the board's key may be old, so the guard fails what depends on it.
 * - Heartbeats are published but not heard: the subscription is replaced. Its connection may be open all the same, to a
 *   server that is no longer the primary.
 * - In both cases, and while Redis is unavailable, consumers are told once a second that boards may not arrive.
 */
export const keepHeartbeat = Effect.fnUntraced(function* (
  commands: Client,
  subscription: RedisSubscription,
  guard: RedisGuard,
): Effect.fn.Return<void, never, Scope.Scope> {
  let published = 0
  let doubtfulBeats = 0
  let isForbidden = false
  commands.defineCommand("heartbeat", { lua: BEAT, numberOfKeys: 1 })

  const send = Effect.promise(() =>
    commands.heartbeat(subscription.heartbeatChannel, published + 1).then(
      (): Beat => {
        published += 1
        return { _tag: "Published" }
      },
      (error: unknown) => beatOf(error),
    ),
  )

  /** Notes what a heartbeat proved; gives whether boards may not arrive. */
  const judge = (beat: Beat): boolean => {
    if (beat._tag === "Refused") guard.refuse(beat.reason)
    if (beat._tag === "Published" || beat._tag === "Forbidden") guard.accept()
    if (beat._tag === "Failed" || beat._tag === "Refused" || !subscription.fanout.isSubscribed()) return true
    const unheard = subscription.unheard(published)
    if (unheard >= UNHEARD_LOST) subscription.replace()
    return unheard >= UNHEARD_DOUBTFUL
  }

  const turn = Effect.gen(function* () {
    const beat = yield* send
    if (beat._tag === "Forbidden" && !isForbidden)
      yield* Effect.logWarning("Redis does not allow the heartbeat", { reason: beat.reason })
    isForbidden = beat._tag === "Forbidden"
    if (!judge(beat)) {
      doubtfulBeats = 0
      return
    }
    if (doubtfulBeats % DOUBT_BEATS === 0) subscription.fanout.doubtful()
    doubtfulBeats += 1
  })
  yield* turn.pipe(Effect.andThen(Effect.sleep(HEARTBEAT)), Effect.forever, Effect.forkScoped)
})
