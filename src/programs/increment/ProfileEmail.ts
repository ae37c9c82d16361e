import * as Effect from "effect/Effect"
import { providerUnavailable, Unauthorized, type Unavailable } from "../../domain/Errors.ts"
import type { Caller } from "../../domain/ScoreboardApi.ts"
import type { Cognito } from "../../services/Cognito/Cognito.ts"

/**
 * Asks Cognito for the e-mail of a player who is not stored and whose access token carries none: once for each new
 * player, because the increment that follows stores it.
 */
export const profileEmail = (
  cognito: Cognito["Service"],
  caller: Caller,
): Effect.Effect<string, Unauthorized | Unavailable> =>
  cognito.profile(caller.accessToken).pipe(
    Effect.flatMap((profile) =>
      profile.userId === caller.userId ? Effect.succeed(profile.email) : Effect.fail(new Unauthorized()),
    ),
    Effect.catchTags({
      TokenRejected: () => Effect.fail(new Unauthorized()),
      CognitoFailure: (error) =>
        Effect.andThen(
          Effect.logError("A profile could not be read", error),
          Effect.fail(providerUnavailable),
        ),
    }),
  )
