import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { BOARD_KEY, BOARD_TTL_SECONDS } from "../../domain/Messages.ts"
import { Redis, RedisFailure } from "./Redis.ts"
import { describeRedisError, openConnection } from "./RedisConnection.ts"
import { defineWriteBoard, runWriteBoard } from "./RedisScript.ts"
import { subscribeBoard } from "./RedisSubscription.ts"
import { defineTake, runTake } from "./RedisTake.ts"
import { redisConfig } from "./RedisUrl.ts"

/** One round trip; its failure says what happened and carries nothing that was sent. */
const request = <A>(operation: RedisFailure["operation"], send: () => Promise<A>) =>
  Effect.tryPromise({
    try: send,
    catch: (error) => new RedisFailure({ operation, cause: new Error(describeRedisError(error)) }),
  })

/** The same with a span, which is made also where none is collected: not for what is asked all the time. */
const traced = <A>(operation: RedisFailure["operation"], send: () => Promise<A>) =>
  Effect.withSpan(request(operation, send), `Redis.${operation}`, { kind: "client" })

const isWrongType = (error: unknown): boolean =>
  error instanceof Error && error.message.startsWith("WRONGTYPE")

/** What `layer` reads. */
export const config = redisConfig

/**
 * A Redis server at `REDIS_URL`. A bad or missing URL fails; an unavailable Redis does not: every command fails until
 * it is back, and the connections come back by themselves.
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
    return Redis.of({
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
