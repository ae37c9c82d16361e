import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import {
  databaseUnavailable,
  ForeignRefreshToken,
  InvalidCredentials,
  InvalidRefreshToken,
  providerUnavailable,
  TooManyRequests,
  type Unavailable,
} from "../../domain/Errors.ts"
import { type Caller, EndedSignIn } from "../../domain/ScoreboardApi.ts"
import { labelledCounter } from "../../foundation/LabelledCounter.ts"
import {
  Cognito,
  type CognitoFailure,
  type LoginRejected,
  type LoginThrottled,
  type Profile,
  TokenRejected,
} from "../../services/Cognito/Cognito.ts"
import { refusedIssued } from "../../services/Cognito/CognitoIssued.ts"
import { Sql } from "../../services/Sql/Sql.ts"
import { logAndFailWith } from "./PublicFailure.ts"

/** How long a client waits when the identity provider throttles: Cognito names no time. */
const THROTTLED_SECONDS = 30

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
  values: ["ok", "rejected", "unavailable"],
})

type ProviderError = LoginRejected | TokenRejected | LoginThrottled | CognitoFailure | Unavailable

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
        Unavailable: (error) => Effect.andThen(counter.add("unavailable"), Effect.fail(error)),
        CognitoFailure: (error) =>
          Effect.andThen(
            counter.add("unavailable"),
            logAndFailWith(
              // The provider may have answered the call itself: what it issued cannot be checked.
              error.operation === "verify"
                ? `A ${operation} could not be completed: the identity provider's key set is unavailable`
                : `A ${operation} could not be completed at the identity provider`,
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
    email === undefined
      ? Effect.void
      : Effect.catch(sql.register(userId, email), (error) =>
          Effect.logWarning("A player could not be stored at login", error),
        )

  const login = (email: string, password: string) =>
    cognito.login(email, Redacted.make(password)).pipe(
      Effect.tap(({ profile }) => remember(profile)),
      Effect.map(({ accessToken, refreshToken }) => ({ accessToken, refreshToken })),
      asPublic("login", new InvalidCredentials()),
    )

  const whileDatabaseAnswers = logAndFailWith("The end of sign-ins could not be read", databaseUnavailable)

  /** Refuses the tokens of a sign-in that was ended: the identity provider may not know. */
  const refuseEnded = (accessToken: string) =>
    Effect.gen(function* () {
      const claims = yield* Effect.mapError(cognito.verify(accessToken), refusedIssued("refresh"))
      if (!(yield* Effect.catch(sql.refuses(claims), whileDatabaseAnswers))) return
      return yield* new TokenRejected({ reason: "EndedSignIn" })
    })

  const refresh = (refreshToken: string) =>
    // Asked first: where refresh tokens rotate, an exchange whose result cannot be checked would lose the sign-in.
    Effect.catch(sql.ping, whileDatabaseAnswers).pipe(
      Effect.andThen(cognito.refresh(Redacted.make(refreshToken))),
      Effect.tap(({ accessToken }) => refuseEnded(accessToken)),
      Effect.map((renewal) => ({
        accessToken: renewal.accessToken,
        ...(renewal.refreshToken === undefined ? {} : { refreshToken: renewal.refreshToken }),
      })),
      asPublic("refresh", new InvalidRefreshToken()),
    )

  /**
   * Revokes the refresh token of a sign-in that the middleware `EndsSignIn` ends meanwhile: both are tried even when one
   * fails, so that as little as possible stays valid. Idempotent: a repeat with the same access token does what is left,
   * because this route alone does not ask whether the access token was ended.
   */
  const logout = Effect.fnUntraced(function* (caller: Caller, refreshToken: string) {
    const revoked = yield* Effect.result(
      Effect.catch(
        cognito.revoke(Redacted.make(refreshToken), caller),
        logAndFailWith("A refresh token could not be revoked", providerUnavailable),
      ),
    )
    const ended = yield* Effect.result(yield* EndedSignIn)
    if (Result.isFailure(revoked)) {
      yield* logouts.add("unavailable")
      return yield* Effect.fail(revoked.failure)
    }
    if (Result.isFailure(ended)) {
      yield* logouts.add("unavailable")
      return yield* Effect.fail(ended.failure)
    }
    // In a repeat the provider no longer knows the token that the first request revoked.
    const outcome = revoked.success === "unknown" && ended.success ? "spent" : revoked.success
    const isRejected = outcome === "foreign" || outcome === "unknown"
    yield* logouts.add(isRejected ? "rejected" : "ok")
    if (isRejected) return yield* new ForeignRefreshToken()
  })

  return { login, refresh, logout }
})
