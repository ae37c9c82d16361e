import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Redis as Client } from "ioredis"
import { randomUUID } from "node:crypto"
import { BOARD_CHANNEL } from "../../domain/BoardCache.ts"
import { describeRedisError } from "./RedisConnection.ts"
import { makeRedisFanout, type RedisFanout } from "./RedisFanout.ts"

/**
 * How often the subscriber sends a PING, or subscribes where it is not subscribed. Without a PING an unresponsive
 * connection would not be noticed where heartbeats are not allowed. A command may stay unanswered for 3 s, so it is
 * replaced within 6 s even there.
 */
const PING_EVERY = "3 seconds"

/** Each process has a channel and key of its own, so that it hears only its own heartbeats. */
const HEARTBEAT_PREFIX = "leaderboard:heartbeat:"

/** The subscription of one process. All members but the fan-out's stream are synchronous. */
export interface RedisSubscription {
  readonly fanout: RedisFanout
  /** The channel of this process's heartbeats, and the key that they write. */
  readonly heartbeatChannel: string
  /** How many of `published` heartbeats were not heard; 0 while the channel is not subscribed to. */
  unheard(published: number): number
  /** Connects the subscriber again, which leads to another `Subscribed`. */
  replace(): void
}

/** Subscribes to the board's channel, again after every reconnection, until the scope ends. */
export const subscribeBoard = Effect.fnUntraced(function* (
  client: Client,
): Effect.fn.Return<RedisSubscription, never, Scope.Scope> {
  const log = Effect.runForkWith(yield* Effect.context<never>())
  const fanout = makeRedisFanout()
  const heartbeatChannel = `${HEARTBEAT_PREFIX}${randomUUID()}`
  /** The last heartbeat that was heard. `next` = subscribed, none heard yet; undefined = not subscribed. */
  let heard: number | "next" | undefined
  const refused = new Set<string>()

  const subscribe = (channel: string, subscribed: () => void) =>
    client.subscribe(channel).then(
      () => {
        refused.delete(channel)
        subscribed()
      },
      (error: unknown) => {
        // Without a connection this is an outage, which the connection logs.
        if (refused.has(channel) || client.status !== "ready") return
        refused.add(channel)
        log(
          Effect.logWarning("Redis refused the subscription", { channel, reason: describeRedisError(error) }),
        )
      },
    )
  /** Subscribes to the channels that are not subscribed to. Separately: Redis may allow only one of them. */
  const subscribeToBoth = () =>
    Promise.all([
      fanout.isSubscribed() ? undefined : subscribe(BOARD_CHANNEL, fanout.subscribed),
      heard !== undefined
        ? undefined
        : subscribe(heartbeatChannel, () => {
            heard = "next"
          }),
    ])

  const onReady = () => void subscribeToBoth()
  const onClose = () => {
    fanout.lost()
    heard = undefined
  }
  const onMessage = (channel: string, text: string) => {
    if (channel === heartbeatChannel) heard = Number(text)
    else fanout.published(text)
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => client.on("ready", onReady).on("close", onClose).on("message", onMessage)),
    () => Effect.sync(() => client.off("ready", onReady).off("close", onClose).off("message", onMessage)),
  )

  const ping = Effect.suspend(() => {
    if (client.status !== "ready") return Effect.void
    if (!fanout.isSubscribed() || heard === undefined) return Effect.promise(subscribeToBoth)
    // The answer does not matter: if there is none, the connection's own time limit replaces the connection.
    return Effect.ignore(Effect.tryPromise(() => client.ping()))
  })
  yield* ping.pipe(Effect.andThen(Effect.sleep(PING_EVERY)), Effect.forever, Effect.forkScoped)

  return {
    fanout,
    heartbeatChannel,
    unheard: (published) => {
      if (heard === "next") heard = published
      return heard === undefined ? 0 : published - heard
    },
    replace: () => client.disconnect(true),
  }
})
