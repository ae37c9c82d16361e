import * as Effect from "effect/Effect"
import { Redis as RedisClient } from "ioredis"
import { until } from "../fixtures.ts"
import { type RedisEngine, startRedisServer } from "./RedisServer.ts"

/** Two redis-servers of which one is the primary, as after a failover any number of times. */
export interface RedisPair {
  /** The primary at this moment. */
  readonly primary: () => RedisEngine
  /**
   * Makes the other one the primary, with what the old one has, and the old one its replica. The old one keeps running
   * and keeps every connection, so subscriptions to it hear only what comes by replication. Gives the new primary.
   */
  readonly demote: Effect.Effect<RedisEngine>
  /** Runs commands on the primary, on a connection of its own. */
  withClient<A, E>(use: (client: RedisClient) => Effect.Effect<A, E>): Effect.Effect<A, E>
}

const withClientOf = <A, E>({ url }: RedisEngine, use: (client: RedisClient) => Effect.Effect<A, E>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => new RedisClient(url)),
    use,
    (client) => Effect.sync(() => client.disconnect()),
  )

const follow = (replica: RedisEngine, port: number) =>
  withClientOf(replica, (client) => Effect.promise(() => client.replicaof("127.0.0.1", port)))

/** Starts both; the second has nothing to do until the first is demoted. */
export const startRedisPair = Effect.gen(function* () {
  const [first, second] = yield* Effect.all([startRedisServer(), startRedisServer()], { concurrency: 2 })
  let [primary, other] = [first, second]
  const pair: RedisPair = {
    primary: () => primary,
    demote: Effect.gen(function* () {
      const [old, next] = [primary, other]
      yield* follow(next, old.port)
      yield* withClientOf(next, (client) =>
        Effect.andThen(
          until(
            "the replica has the data of its primary",
            Effect.promise(() => client.info("replication")),
            (text) => text.includes("master_link_status:up"),
          ),
          Effect.promise(() => client.replicaof("NO", "ONE")),
        ),
      )
      yield* follow(old, next.port)
      ;[primary, other] = [next, old]
      return next
    }),
    withClient: (use) => Effect.suspend(() => withClientOf(primary, use)),
  }
  return pair
})
