import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { BOARD_KEY, BOARD_TTL_SECONDS } from "../../domain/BoardCache.ts"
import { Redis, type RedisFailure } from "./Redis.ts"
import { failureOf, openConnection } from "./RedisConnection.ts"
import { makeRedisGuard } from "./RedisGuard.ts"
import { keepHeartbeat } from "./RedisHeartbeat.ts"
import { makeRedisPatience } from "./RedisPatience.ts"
import { defineWriteBoard, isWrongType, runWriteBoard } from "./RedisScript.ts"
import { subscribeBoard } from "./RedisSubscription.ts"
import { defineTake, runTake } from "./RedisTake.ts"
import { redisConfig } from "./RedisUrl.ts"

/**
 * One round trip with a span. Its failure says what happened and contains nothing that was sent. A span costs time even
 * if nobody collects it, so the frequent commands, which `RedisPatience` sends, have none.
 */
const traced = <A>(operation: RedisFailure["operation"], send: () => Promise<A>) =>
  Effect.tryPromise({ try: send, catch: (error) => failureOf(operation, error) }).pipe(
    Effect.withSpan(`Redis.${operation}`, { kind: "client" }),
  )

/** Logs that Redis is slow, at most once a minute. */
const makeLateLog = Effect.map(Effect.context<never>(), (context) => {
  const log = Effect.runForkWith(context)
  let loggedAt = Number.NEGATIVE_INFINITY
  return () => {
    const now = performance.now()
    if (now - loggedAt < LATE_LOG_MILLIS) return
    loggedAt = now
    log(Effect.logWarning("Redis is slow, and callers do not wait for it"))
  }
})

/** Between two lines in the log about a slow Redis, at least, in milliseconds. */
const LATE_LOG_MILLIS = 60_000

/** What `layer` reads. */
export const config = redisConfig

/**
 * A Redis server at `REDIS_URL`. The layer fails if the URL is missing or malformed. It does not fail if Redis is
 * unavailable: then every command fails, and the connections are opened again by themselves. See `RedisGuard` for how
 * fast commands fail.
 */
export const layer = Layer.effect(
  Redis,
  Effect.gen(function* () {
    const url = yield* config.url
    const [commands, subscriber] = yield* Effect.all(
      [openConnection("commands", url), openConnection("subscriber", url)],
      { concurrency: 2 },
    )
    defineWriteBoard(commands)
    defineTake(commands)
    const guard = makeRedisGuard()
    const patience = yield* makeRedisPatience({
      late: yield* makeLateLog,
      answered: guard.reset,
      failed: guard.trip,
    })
    commands.on("ready", guard.reset).on("ready", patience.reset)
    const subscription = yield* subscribeBoard(subscriber)
    yield* keepHeartbeat(commands, subscription, guard)
    return guard.protect({
      readBoard: patience
        .send("readBoard", () =>
          commands.get(BOARD_KEY).catch((error: unknown) => {
            if (isWrongType(error)) return null
            throw error
          }),
        )
        .pipe(Effect.map(Option.fromNullOr)),
      writeBoard: (board) => traced("writeBoard", () => runWriteBoard(commands, board)),
      renewBoard: Effect.asVoid(traced("renewBoard", () => commands.expire(BOARD_KEY, BOARD_TTL_SECONDS))),
      notifications: subscription.fanout.notifications,
      take: (bucket) => patience.send("take", () => runTake(commands, bucket)),
      ping: Effect.asVoid(traced("ping", () => commands.ping())),
    })
  }),
)
