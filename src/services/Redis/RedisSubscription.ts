import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { Redis as Client } from "ioredis"
import { BOARD_CHANNEL } from "../../domain/BoardCache.ts"
import type { BoardNotification } from "./Redis.ts"
import { describeRedisError } from "./RedisConnection.ts"
import { makeRedisFanout } from "./RedisFanout.ts"

/**
 * How often the subscriber sends a PING. A subscription only receives, so without it a dead connection would not be
 * noticed. A command may stay unanswered for 3 s, so an unresponsive connection is replaced within 6 s.
 */
const HEARTBEAT = "3 seconds"

/** Subscribes to the board's channel, again after every reconnection, until the scope ends. */
export const subscribeBoard = Effect.fnUntraced(function* (
  client: Client,
): Effect.fn.Return<Stream.Stream<BoardNotification>, never, Scope.Scope> {
  const log = Effect.runForkWith(yield* Effect.context<never>())
  const fanout = makeRedisFanout()
  let refused = false

  const subscribe = () =>
    client.subscribe(BOARD_CHANNEL).then(
      () => {
        refused = false
        fanout.subscribed()
      },
      (error: unknown) => {
        // Without a connection this is an outage, which the connection logs.
        if (refused || client.status !== "ready") return
        refused = true
        log(Effect.logWarning("Redis refused the subscription", { reason: describeRedisError(error) }))
      },
    )

  const onReady = () => void subscribe()
  const onMessage = (_channel: string, json: string) => fanout.published(json)
  yield* Effect.acquireRelease(
    Effect.sync(() => client.on("ready", onReady).on("close", fanout.lost).on("message", onMessage)),
    () => Effect.sync(() => client.off("ready", onReady).off("close", fanout.lost).off("message", onMessage)),
  )

  const beat = Effect.suspend(() => {
    if (client.status !== "ready") return Effect.void
    if (!fanout.isSubscribed()) return Effect.promise(subscribe)
    // The answer does not matter: if there is none, the connection's own time limit replaces the connection.
    return Effect.ignore(Effect.tryPromise(() => client.ping()))
  })
  yield* beat.pipe(Effect.andThen(Effect.sleep(HEARTBEAT)), Effect.forever, Effect.forkScoped)

  return fanout.notifications
})
