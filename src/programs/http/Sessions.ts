import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import {
  databaseUnavailable,
  InvalidCredentials,
  InvalidRefreshToken,
  providerUnavailable,
  TooManyRequests,
  Unauthorized,
  type Unavailable,
} from "../../domain/Errors.ts"
import type { Caller } from "../../domain/ScoreboardApi.ts"
import { labelledCounter } from "../../foundation/LabelledCounter.ts"
import {
  Cognito,
  type CognitoFailure,
  type LoginRejected,
  type LoginThrottled,
  type Profile,
  type TokenRejected,
} from "../../services/Cognito/Cognito.ts"
import { Sql } from "../../services/Sql/Sql.ts"
import { logAndFailWith } from "./PublicFailure.ts"

/** How long a client waits when the identity provider throttles: Cognito names no time. */
const THROTTLED_SECONDS = 30

/**
 * How long a revoked sign-in is remembered. An access token that was refreshed from it just before the logout is valid
 * for a day at most: the upper limit of Cognito.
 */
const REMEMBERED_SECONDS = 24 * 3600

const OUTCOMES = ["ok", "rejected", "throttled", "unavailable"] as const
const outcomes = {
  login: labelledCounter({
    name: "logins_total",
    description: "Logins, by outcome.",
    label: "outcome",
    values: OUTCOMES,
  }),
  refresh: labelledCounter({
    name: "token_refreshes_total",
    description: "Access tokens asked for with a refresh token, by outcome.",
    label: "outcome",
    values: OUTCOMES,
  }),
}
const logouts = labelledCounter({
  name: "logouts_total",
  description: "Logouts, by outcome.",
  label: "outcome",
  values: ["ok", "unavailable"],
})

type ProviderError = LoginRejected | TokenRejected | LoginThrottled | CognitoFailure

/** Counts a call to the identity provider by its outcome, and turns the provider's errors into public ones. */
const asPublic =
  <Rejected>(operation: keyof typeof outcomes, rejected: Rejected) =>
  <A>(call: Effect.Effect<A, ProviderError>): Effect.Effect<A, Rejected | TooManyRequests | Unavailable> => {
    const counter = outcomes[operation]
    const reject = Effect.andThen(counter.add("rejected"), Effect.fail(rejected))
    return call.pipe(
      Effect.tap(counter.add("ok")),
      Effect.catchTags({
        LoginRejected: ({ reason }) =>
          Effect.andThen(Effect.logInfo("A login was refused", { reason }), reject),
        TokenRejected: () => reject,
        LoginThrottled: () =>
          Effect.andThen(
            counter.add("throttled"),
            Effect.fail(new TooManyRequests({ retryAfterSeconds: THROTTLED_SECONDS })),
          ),
        CognitoFailure: (error) =>
          Effect.andThen(
            counter.add("unavailable"),
            logAndFailWith(
              `A ${operation} could not be completed at the identity provider`,
              providerUnavailable,
            )(error),
          ),
      }),
    )
  }

/** A sign-in from login to logout. */
export const makeSessions = Effect.gen(function* () {
  const cognito = yield* Cognito
  const sql = yield* Sql

  // A player who cannot be stored now is stored with the first increment.
  const remember = ({ userId, email }: Profile) =>
    Effect.catch(sql.register(userId, email), (error) =>
      Effect.logWarning("A player could not be stored at login", error),
    )

  const login = (email: string, password: string) =>
    cognito.login(email, Redacted.make(password)).pipe(
      Effect.tap(({ profile }) => remember(profile)),
      Effect.map(({ accessToken, refreshToken }) => ({ accessToken, refreshToken })),
      asPublic("login", new InvalidCredentials()),
    )

  const refresh = (refreshToken: string) =>
    cognito.refresh(Redacted.make(refreshToken)).pipe(
      Effect.map((renewal) => ({
        accessToken: renewal.accessToken,
        ...(renewal.refreshToken === undefined ? {} : { refreshToken: renewal.refreshToken }),
      })),
      asPublic("refresh", new InvalidRefreshToken()),
    )

  const revokeAccess = Effect.fnUntraced(function* (caller: Caller, tokenId: string) {
    const nowSeconds = Math.ceil((yield* Clock.currentTimeMillis) / 1000)
    const expiresAtSeconds = Math.max(caller.expiresAtSeconds, nowSeconds + REMEMBERED_SECONDS)
    yield* Effect.catch(
      sql.revoke({ tokenId, expiresAtSeconds }),
      logAndFailWith("A logout could not be stored", databaseUnavailable),
    )
  })

  const revokeRefresh = (refreshToken: string) =>
    Effect.catch(
      cognito.revoke(Redacted.make(refreshToken)),
      logAndFailWith("A refresh token could not be revoked", providerUnavailable),
    )

  /**
   * Revokes the access token and the refresh token. Both are tried even when one fails, so that as little as possible
   * stays valid. Idempotent: a repeat with the same access token does what is left, because this route alone does not
   * ask whether the access token was revoked.
   */
  const logout = Effect.fnUntraced(function* (caller: Caller, refreshToken: string) {
    // A token without an id cannot be revoked. Every token of Cognito has one.
    if (caller.tokenId === undefined) return yield* new Unauthorized()
    const results = yield* Effect.all(
      [Effect.result(revokeAccess(caller, caller.tokenId)), Effect.result(revokeRefresh(refreshToken))],
      { concurrency: 2 },
    )
    const failed = results.find((result) => result._tag === "Failure")
    yield* logouts.add(failed === undefined ? "ok" : "unavailable")
    if (failed !== undefined) return yield* Effect.fail(failed.failure)
  })

  return { login, refresh, logout }
})
