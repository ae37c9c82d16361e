import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import type { RedisFailure } from "./Redis.ts"

/** The board's key, for an operator who only looks: it has no subscription and no heartbeat, and writes nothing. */
export class RedisBoard extends Context.Service<
  RedisBoard,
  {
    /** Why there is no Redis to look at; undefined if there is one. */
    readonly absent: string | undefined
    /** The text under the board's key; none if the key does not exist or has the wrong type. */
    readonly read: Effect.Effect<Option.Option<string>, RedisFailure>
  }
>()("scoreboard/services/RedisBoard") {
  /** Where there is no Redis to look at: why. */
  static readonly layerAbsent = (why: string) =>
    Layer.succeed(
      RedisBoard,
      RedisBoard.of({ absent: why, read: Effect.die(new Error(`There is no Redis to look at: ${why}`)) }),
    )
}
