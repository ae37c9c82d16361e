import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { BOARD_KEY } from "../../domain/BoardCache.ts"
import { RedisBoard } from "./RedisBoard.ts"
import { failureOf, openConnection } from "./RedisConnection.ts"
import { isWrongType } from "./RedisScript.ts"
import { redisConfig } from "./RedisUrl.ts"

/** The server at `REDIS_URL`; it need not answer for the layer to be built. */
export const layer = Layer.effect(
  RedisBoard,
  Effect.gen(function* () {
    const client = yield* openConnection("commands", yield* redisConfig.url)
    return RedisBoard.of({
      absent: undefined,
      read: Effect.tryPromise({
        try: () =>
          client.get(BOARD_KEY).catch((error: unknown) => {
            if (isWrongType(error)) return null
            throw error
          }),
        catch: (error) => failureOf("readBoard", error),
      }).pipe(Effect.map(Option.fromNullOr)),
    })
  }),
)
