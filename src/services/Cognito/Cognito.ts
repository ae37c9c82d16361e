import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { UserId } from "../../domain/Score.ts"

/** The provider is unavailable, or answered what nobody expects. `cause` says why, for the log only. */
export class CognitoFailure extends Schema.TaggedError<CognitoFailure>()("CognitoFailure", {
  operation: Schema.Literals(["start", "login", "verify", "profile", "refresh", "revoke", "check"]),
  cause: Schema.Defect(),
}) {}

/** The user is unknown, the password is wrong, or the account cannot sign in with a password now. */
export class LoginRejected extends Schema.TaggedError<LoginRejected>()("LoginRejected", {
  /** Why, for the log and the metrics: the provider's name of the error or challenge, never an e-mail. */
  reason: Schema.String,
}) {}

/** The provider asks for fewer calls, or has locked the account for a while. */
export class LoginThrottled extends Schema.TaggedError<LoginThrottled>()("LoginThrottled", {}) {}

/** The token was not issued by this pool for this client, or it is no longer valid. */
export class TokenRejected extends Schema.TaggedError<TokenRejected>()("TokenRejected", {
  /** Why, for the log and the metrics: never the token or a part of it. */
  reason: Schema.String,
}) {}

/** The claims of a verified access token. */
export interface AccessTokenClaims {
  /** The token's `sub`: an `isIdentifier`. */
  readonly userId: UserId
  /**
   * What a logout revokes: the sign-in that the token comes from (`origin_jti`, which is the same in every access token
   * of that sign-in), else the token's own `jti`, else undefined. An `isIdentifier`.
   */
  readonly tokenId: string | undefined
  /** Whether `tokenId` is that of the sign-in, which a refresh keeps. */
  readonly isTokenIdShared: boolean
  /**
   * When the player signed in, in seconds since 1970: the token's `auth_time`, which a refresh keeps, else its `iat`,
   * else 0.
   */
  readonly signedInAtSeconds: number
  /**
   * The token's `email`, if it has one: the access tokens of Cognito itself have none. Undefined too if the token says
   * that the address is not verified, unless `EMAIL_UNVERIFIED=allow`.
   */
  readonly email: string | undefined
  /** The token's `exp`, in seconds since 1970, at most 253402300799 (the year 9999). */
  readonly expiresAtSeconds: number
}

/** Who a user is. */
export interface Profile {
  readonly userId: UserId
  /**
   * The e-mail. If the pool stores none, the user name, because the board has to show something. Undefined if the pool
   * says that the e-mail is not verified, unless `EMAIL_UNVERIFIED=allow`.
   */
  readonly email: string | undefined
}

/** The result of a login. `profile` comes from the id token that the provider issues with the other two. */
export interface Session {
  readonly accessToken: string
  readonly refreshToken: string
  readonly profile: Profile
}

/** The result of a refresh. */
export interface Renewal {
  readonly accessToken: string
  /** Replaces the refresh token that was used. If undefined, that token remains valid. */
  readonly refreshToken: string | undefined
}

/** Whose refresh token `revoke` may revoke: the claims of the access token that asks for it. */
export type Owner = Pick<AccessTokenClaims, "userId" | "tokenId" | "isTokenIdShared">

/**
 * What became of a refresh token. `revoked` = it was the owner's, and no longer works; `spent` = the provider says that
 * it expired, was replaced or was revoked before; `foreign` = it belongs to another sign-in and was left alone;
 * `unknown` = it gets no tokens, and the provider does not say why.
 */
export type RevokeOutcome = "revoked" | "spent" | "foreign" | "unknown"

export class Cognito extends Context.Service<
  Cognito,
  {
    /** Signs in by USER_PASSWORD_AUTH. Not retried, because the provider counts a repeat as another attempt. */
    login(
      email: string,
      password: Redacted.Redacted,
    ): Effect.Effect<Session, LoginRejected | LoginThrottled | CognitoFailure>

    /**
     * Checks an access token: RS256 by a key of the pool, issuer, `token_use` = access, client, `exp`, `nbf`,
     * `iat`, non-empty `sub`, no `crit`. If the key is unknown and cannot be fetched, the result is a `CognitoFailure`,
     * never a rejection. A key that the pool begins to use without notice is accepted after 10 s at the latest.
     */
    verify(accessToken: string): Effect.Effect<AccessTokenClaims, TokenRejected | CognitoFailure>

    /**
     * Issues a new access token for a refresh token, and rejects one that is revoked, expired or foreign. Not retried:
     * where refresh tokens rotate, a repeat would use the old one twice.
     */
    refresh(
      refreshToken: Redacted.Redacted,
    ): Effect.Effect<Renewal, TokenRejected | LoginThrottled | CognitoFailure>

    /**
     * Revokes a refresh token of the owner's sign-in. Where the provider gives access tokens no `origin_jti`, of any
     * sign-in of the owner. May be repeated; a token that was revoked is then `spent` or `unknown`.
     */
    revoke(refreshToken: Redacted.Redacted, owner: Owner): Effect.Effect<RevokeOutcome, CognitoFailure>

    /** The profile of the user of an access token. Idempotent. */
    profile(accessToken: string): Effect.Effect<Profile, TokenRejected | CognitoFailure>

    /** Succeeds if the provider's keys were fetched within the last minute, or can be fetched now. Idempotent. */
    readonly check: Effect.Effect<void, CognitoFailure>
  }
>()("scoreboard/services/Cognito") {}
