import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import {
  databaseAway,
  InvalidRefreshToken,
  providerAway,
  TooManyRequests,
  Unauthorized,
} from "../../domain/Errors.ts"
import type { Caller } from "../../domain/ScoreboardApi.ts"
import { labelledCounter } from "../../foundation/LabelledCounter.ts"
import { Cognito } from "../../services/Cognito/Cognito.ts"
import { Sql } from "../../services/Sql/Sql.ts"

/** What a client waits when the identity provider throttles and does not say for how long. */
export const THROTTLED_SECONDS = 30

/**
 * How long a sign-in that was ended is remembered: an access token refreshed from it a moment earlier holds a day at
 * the most, by the limits of Cognito.
 */
const REMEMBERED_SECONDS = 24 * 3600

const refreshes = labelledCounter({
  name: "token_refreshes_total",
  description: "Access tokens asked for with a refresh token, by outcome.",
  label: "outcome",
  values: ["ok", "rejected", "throttled", "unavailable"],
})
const logouts = labelledCounter({
  name: "logouts_total",
  description: "Logouts, by outcome.",
  label: "outcome",
  values: ["ok", "unavailable"],
})

/** The life of a sign-in after the login. */
export const makeSessions = Effect.gen(function* () {
  const cognito = yield* Cognito
  const sql = yield* Sql

  const refresh = (refreshToken: string) => {
    return cognito.refresh(Redacted.make(refreshToken)).pipe(
      Effect.tap(refreshes.add("ok")),
      Effect.map((renewal) => ({
        accessToken: renewal.accessToken,
        ...(renewal.refreshToken === undefined ? {} : { refreshToken: renewal.refreshToken }),
      })),
      Effect.catchTags({
        TokenRejected: () =>
          Effect.andThen(refreshes.add("rejected"), Effect.fail(new InvalidRefreshToken())),
        LoginThrottled: () =>
          Effect.andThen(
            refreshes.add("throttled"),
            Effect.fail(new TooManyRequests({ retryAfterSeconds: THROTTLED_SECONDS })),
          ),
        CognitoFailure: (error) =>
          Effect.logError("The identity provider did not answer a refresh", error).pipe(
            Effect.andThen(refreshes.add("unavailable")),
            Effect.andThen(Effect.fail(providerAway)),
          ),
      }),
    )
  }

  const revokeAccess = Effect.fnUntraced(function* (caller: Caller, tokenId: string) {
    const nowSeconds = Math.ceil((yield* Clock.currentTimeMillis) / 1000)
    const expiresAtSeconds = Math.max(caller.expiresAtSeconds, nowSeconds + REMEMBERED_SECONDS)
    yield* Effect.catch(sql.revoke({ tokenId, expiresAtSeconds }), (error) =>
      Effect.andThen(Effect.logError("A logout could not be stored", error), Effect.fail(databaseAway)),
    )
  })

  const revokeRefresh = (refreshToken: string) =>
    Effect.catch(cognito.revoke(Redacted.make(refreshToken)), (error) =>
      Effect.andThen(
        Effect.logError("A refresh token could not be revoked", error),
        Effect.fail(providerAway),
      ),
    )

  /**
   * Both are tried, whatever becomes of the other one, so that a failure leaves as little as possible alive. Asked
   * again with the same access token it does the rest: this route alone does not ask whether the token was revoked.
   */
  const logout = Effect.fnUntraced(function* (caller: Caller, refreshToken: string) {
    // Without an id it cannot be refused later on. Cognito's tokens all have one.
    if (caller.tokenId === undefined) return yield* new Unauthorized()
    const outcomes = yield* Effect.all(
      [Effect.result(revokeAccess(caller, caller.tokenId)), Effect.result(revokeRefresh(refreshToken))],
      { concurrency: 2 },
    )
    const failed = outcomes.find((outcome) => outcome._tag === "Failure")
    yield* logouts.add(failed === undefined ? "ok" : "unavailable")
    if (failed !== undefined) return yield* Effect.fail(failed.failure)
  })

  return { refresh, logout }
})
