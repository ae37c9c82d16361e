import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { UserId } from "../../domain/Score.ts"

/** The identity provider refused to work, or did not answer in time. `cause` is for the log only. */
export class CognitoFailure extends Schema.TaggedError<CognitoFailure>()("CognitoFailure", {
  operation: Schema.Literals(["start", "login", "verify", "profile", "refresh", "revoke", "check"]),
  cause: Schema.Defect(),
}) {}

/** Unknown user, wrong password, or an account that cannot sign in with a password now. */
export class LoginRejected extends Schema.TaggedError<LoginRejected>()("LoginRejected", {
  /** Why, for the log and the metrics: the provider's name of the error or challenge, never an address. */
  reason: Schema.String,
}) {}

/** The provider asks us to slow down. */
export class LoginThrottled extends Schema.TaggedError<LoginThrottled>()("LoginThrottled", {}) {}

/** The token is not one that this pool and client issued, or is no longer valid. */
export class TokenRejected extends Schema.TaggedError<TokenRejected>()("TokenRejected", {
  /** Why, for the log and the metrics: never the token or a part of it. */
  reason: Schema.String,
}) {}

/** What a verified access token says. */
export interface AccessTokenClaims {
  /** The token's `sub`. */
  readonly userId: UserId
  /**
   * What a logout revokes: the sign-in that the token comes from (`origin_jti`, which every access token refreshed
   * from it carries, too), else the token's own `jti`, if it has one.
   */
  readonly tokenId: string | undefined
  /** The signed `email` claim, if it has one: Cognito's own access tokens do not. */
  readonly email: string | undefined
  /** When the token expires, in seconds since 1970. */
  readonly expiresAtSeconds: number
}

/** Who a user is. */
export interface Profile {
  readonly userId: UserId
  /** The address; in a pool whose users have none, the user name, since the board has to show something. */
  readonly email: string
}

/** The outcome of a login. `profile` comes from the id token that is issued with the other two. */
export interface Session {
  readonly accessToken: string
  readonly refreshToken: string
  readonly profile: Profile
}

/** The outcome of a refresh. */
export interface Renewal {
  readonly accessToken: string
  /** The token that takes the place of the one used; undefined = that one stays good. */
  readonly refreshToken: string | undefined
}

export class Cognito extends Context.Service<
  Cognito,
  {
    /** Signs in with USER_PASSWORD_AUTH. Not retried: a repeat counts as another attempt at the provider. */
    login(
      email: string,
      password: Redacted.Redacted,
    ): Effect.Effect<Session, LoginRejected | LoginThrottled | CognitoFailure>

    /**
     * Checks an access token: RS256 by a key of the pool, issuer, `token_use` = access, client, `exp`, `nbf`,
     * `iat`, non-empty `sub`, no `crit`. Keys that cannot be fetched are a `CognitoFailure`, never a rejection.
     * A key that the pool takes into use unannounced is known after 10 s at the latest.
     */
    verify(accessToken: string): Effect.Effect<AccessTokenClaims, TokenRejected | CognitoFailure>

    /**
     * A new access token for a refresh token; a revoked, expired or foreign one is rejected. Not retried: where
     * tokens rotate, a repeat would use up the new one.
     */
    refresh(
      refreshToken: Redacted.Redacted,
    ): Effect.Effect<Renewal, TokenRejected | LoginThrottled | CognitoFailure>

    /** Ends a refresh token. Idempotent; one that does not hold (any more) is ended already. */
    revoke(refreshToken: Redacted.Redacted): Effect.Effect<void, CognitoFailure>

    /** The profile of the token's user. Safe to repeat. */
    profile(accessToken: string): Effect.Effect<Profile, TokenRejected | CognitoFailure>

    /** Succeeds when the provider's keys can be had (from memory while they are fresh: a minute). */
    readonly check: Effect.Effect<void, CognitoFailure>
  }
>()("scoreboard/services/Cognito") {}
