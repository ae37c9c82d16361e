import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { databaseUnavailable, Unauthorized } from "../../domain/Errors.ts"
import { type Caller, CurrentPlayer, EndedSignIn, EndsSignIn } from "../../domain/ScoreboardApi.ts"
import { Sql } from "../../services/Sql/Sql.ts"
import { logAndFailWith } from "./PublicFailure.ts"

/** How long the last access token of a sign-in is valid after its refresh token: the upper limit of Cognito. */
const ACCESS_TOKEN_LIFETIME = Duration.days(1)

/** How long refresh tokens are valid, as the app client says it; the default is Cognito's. */
export const signInConfig = {
  refreshTokenLifetime: Config.Duration("REFRESH_TOKEN_LIFETIME").pipe(Config.withDefault(Duration.days(30))),
}

const make = Effect.gen(function* () {
  const sql = yield* Sql
  const { refreshTokenLifetime } = yield* Config.all(signInConfig)
  const remembered = Duration.sum(refreshTokenLifetime, ACCESS_TOKEN_LIFETIME)

  const end = Effect.fnUntraced(function* (caller: Caller, tokenId: string) {
    const nowSeconds = Math.ceil((yield* Clock.currentTimeMillis) / 1000)
    const expiresAtSeconds = Math.max(
      caller.expiresAtSeconds,
      nowSeconds + Math.ceil(Duration.toSeconds(remembered)),
    )
    return yield* Effect.catch(
      sql.revoke({ tokenId, expiresAtSeconds }),
      logAndFailWith("A logout could not be stored", databaseUnavailable),
    )
  })

  return EndsSignIn.of((app) =>
    Effect.gen(function* () {
      const caller = yield* CurrentPlayer
      // A token without an id cannot be ended. Every token of Cognito has one.
      if (caller.tokenId === undefined) return yield* new Unauthorized()
      const ending = yield* Effect.forkChild(end(caller, caller.tokenId))
      const answer = yield* Effect.exit(Effect.provideService(app, EndedSignIn, Fiber.join(ending)))
      // Whatever the answer is: as long as the end is not stored, the client has to send the request again.
      yield* Fiber.join(ending)
      return yield* answer
    }),
  )
})

/** Ends the caller's sign-in in PostgreSQL for as long as any token of it can be valid. */
export const EndsSignInLayer = Layer.effect(EndsSignIn, make)
