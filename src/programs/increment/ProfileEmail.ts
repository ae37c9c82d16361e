import * as Effect from "effect/Effect"
import { providerUnavailable, Unauthorized, type Unavailable, UnverifiedEmail } from "../../domain/Errors.ts"
import type { Caller } from "../../domain/ScoreboardApi.ts"
import type { UserId } from "../../domain/Score.ts"
import { LruMap } from "../../foundation/LruMap.ts"
import { monotonicMillis } from "../../foundation/MonotonicTime.ts"
import type { Cognito } from "../../services/Cognito/Cognito.ts"

/**
 * How long Cognito is not asked again about a player whose address is not verified: one such player with a script would
 * otherwise ask for every increment, and Cognito counts the questions of all players together.
 */
const UNVERIFIED_MILLIS = 10_000

/** How many such players are remembered: some 100 KB. */
const UNVERIFIED_PLAYERS = 1_000

type ProfileEmail = (caller: Caller) => Effect.Effect<string, Unauthorized | UnverifiedEmail | Unavailable>

/**
 * Asks Cognito for the e-mail of a player who is not stored and whose access token carries none: once for each new
 * player, because the increment that follows stores it. An address that is not verified is never stored, so its player
 * is refused until a sign-in or a later question brings a verified one.
 */
export const makeProfileEmail = (cognito: Cognito["Service"]): ProfileEmail => {
  const refusedUntil = new LruMap<UserId, number>(UNVERIFIED_PLAYERS)

  const ask: ProfileEmail = Effect.fnUntraced(function* (caller) {
    const { userId, email } = yield* Effect.catchTags(cognito.profile(caller.accessToken), {
      TokenRejected: () => Effect.fail(new Unauthorized()),
      CognitoFailure: (error) =>
        Effect.andThen(
          Effect.logError("A profile could not be read", error),
          Effect.fail(providerUnavailable),
        ),
    })
    if (userId !== caller.userId) return yield* new Unauthorized()
    if (email !== undefined) return email
    refusedUntil.set(userId, (yield* monotonicMillis) + UNVERIFIED_MILLIS)
    return yield* new UnverifiedEmail()
  })

  return Effect.fnUntraced(function* (caller) {
    const until = refusedUntil.get(caller.userId) ?? 0
    if (until > 0 && (yield* monotonicMillis) < until) return yield* new UnverifiedEmail()
    return yield* ask(caller)
  })
}
