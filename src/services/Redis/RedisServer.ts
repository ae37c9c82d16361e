import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { BOARD_KEY, BOARD_TTL_SECONDS } from "../../domain/Messages.ts"
import { Redis, RedisFailure } from "./Redis.ts"
import { describeRedisError, openConnection } from "./RedisConnection.ts"
import { makeRedisGuard } from "./RedisGuard.ts"
import { defineWriteBoard, runWriteBoard } from "./RedisScript.ts"
import { subscribeBoard } from "./RedisSubscription.ts"
import { defineTake, runTake } from "./RedisTake.ts"
import { redisConfig } from "./RedisUrl.ts"

/** One round trip. Its failure says what happened and contains nothing that was sent. */
const request = <A>(operation: RedisFailure["operation"], send: () => Promise<A>) =>
  Effect.tryPromise({
    try: send,
    catch: (error) => new RedisFailure({ operation, cause: new Error(describeRedisError(error)) }),
  })

/** The same with a span. A span costs time even if nobody collects it, so frequent commands have none. */
const traced = <A>(operation: RedisFailure["operation"], send: () => Promise<A>) =>
  Effect.withSpan(request(operation, send), `Redis.${operation}`, { kind: "client" })

const isWrongType = (error: unknown): boolean =>
  error instanceof Error && error.message.startsWith("WRONGTYPE")

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
    commands.on("ready", guard.reset)
    return guard.protect({
      readBoard: request("readBoard", () =>
        commands.get(BOARD_KEY).catch((error: unknown) => {
          if (isWrongType(error)) return null
          throw error
        }),
      ).pipe(Effect.map(Option.fromNullOr)),
      writeBoard: (board) => traced("writeBoard", () => runWriteBoard(commands, board)),
      renewBoard: Effect.asVoid(traced("renewBoard", () => commands.expire(BOARD_KEY, BOARD_TTL_SECONDS))),
      notifications: yield* subscribeBoard(subscriber),
      take: (bucket) => request("take", () => runTake(commands, bucket)),
      ping: Effect.asVoid(traced("ping", () => commands.ping())),
    })
  }),
)
