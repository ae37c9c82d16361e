import { validateCognitoJwtFields } from "aws-jwt-verify/cognito-verifier"
import { JwtBaseError, KidNotFoundInJwksError, WaitPeriodNotYetEndedJwkError } from "aws-jwt-verify/error"
import type { Fetcher } from "aws-jwt-verify/https"
import type { JwtPayload } from "aws-jwt-verify/jwt-model"
import { JwtVerifier } from "aws-jwt-verify/jwt-verifier"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { isIdentifier } from "../../domain/Identifier.ts"
import { UserId } from "../../domain/Score.ts"
import { monotonicMillis } from "../../foundation/MonotonicTime.ts"
import { type AccessTokenClaims, CognitoFailure, TokenRejected } from "./Cognito.ts"
import { isUnverified, storableEmail } from "./CognitoEmail.ts"
import { OUT_OF_RANGE } from "./CognitoIssued.ts"
import { CognitoKeys, KeysUnavailable } from "./CognitoKeys.ts"

/** A longer token is refused unread, in UTF-16 units. Cognito's access tokens have 1 KiB, with many groups 4. */
const TOKEN_LENGTH = 8192

/** How far the issuer's clock may be ahead of ours, in seconds: tokens are used the moment they are issued. */
const CLOCK_SKEW_SECONDS = 60

/** How old the keys may be before `check` fetches them again, which also drops a key that was withdrawn. */
const KEYS_FRESH_MILLIS = 60_000

/** The latest `exp`, in seconds since 1970: the end of the year 9999. PostgreSQL has no time for a far larger number. */
const LATEST_EXPIRY_SECONDS = 253_402_300_799

/** The issuer and client whose tokens are accepted, and where the issuer's keys are. */
export interface TokenIssuer {
  readonly issuer: string
  readonly clientId: string
  readonly jwksUri: string
  readonly fetcher: Fetcher
  /** Whether an address counts although the token says that it is not verified. */
  readonly allowUnverifiedEmail: boolean
}

/** The claims of a good token, and whether its address was left out because it is not verified. */
export interface VerifiedClaims extends AccessTokenClaims {
  readonly isEmailUnverified: boolean
}

/** The same, or why the token is not good. */
export type Verified = Effect.Effect<VerifiedClaims, TokenRejected | CognitoFailure>

/** A claim that the library accepts and we do not. */
class ClaimError extends Error {
  readonly reason: string
  constructor(reason: string) {
    super(reason)
    this.reason = reason
  }
}

/** A claim that names something in the database, if there is one. */
const identifier = (claim: unknown): string | undefined => {
  if (typeof claim !== "string" || claim === "") return undefined
  if (!isIdentifier(claim)) throw new ClaimError(OUT_OF_RANGE)
  return claim
}

/** When the player signed in. JSON can hold a number that is infinite; a player without a time signed in long ago. */
const signInTime = (...claims: ReadonlyArray<unknown>): number =>
  claims.find((claim): claim is number => typeof claim === "number" && Number.isFinite(claim)) ?? 0

/**
 * The claims. The library has checked signature, algorithm, issuer, `nbf`, use and client; it accepts a token without
 * `exp`, in the very second of its `exp`, issued in the future, or without `sub`, so those checks are ours.
 */
const readClaims = (
  payload: JwtPayload,
  nowMillis: number,
  allowUnverifiedEmail: boolean,
): VerifiedClaims => {
  const { exp, iat, sub, jti, email } = payload
  if (exp === undefined) throw new ClaimError("MissingExpiry")
  if (nowMillis >= exp * 1000) throw new ClaimError("JwtExpiredError")
  if (iat !== undefined && iat > nowMillis / 1000 + CLOCK_SKEW_SECONDS)
    throw new ClaimError("IssuedInTheFuture")
  if (exp > LATEST_EXPIRY_SECONDS) throw new ClaimError(OUT_OF_RANGE)
  const subject = identifier(sub)
  if (subject === undefined) throw new ClaimError("MissingSubject")
  const origin = identifier(payload["origin_jti"])
  const isEmailUnverified = !allowUnverifiedEmail && isUnverified(payload["email_verified"])
  return {
    userId: UserId.make(subject),
    tokenId: origin ?? identifier(jti),
    isTokenIdShared: origin !== undefined,
    signedInAtSeconds: signInTime(payload["auth_time"], iat),
    email: isEmailUnverified ? undefined : storableEmail(email),
    isEmailUnverified,
    expiresAtSeconds: exp,
  }
}

/** The reason is a name out of the code, never a message: those quote the token. */
const refused = (error: unknown): TokenRejected | CognitoFailure => {
  if (error instanceof KeysUnavailable) return new CognitoFailure({ operation: "verify", cause: error })
  if (error instanceof KidNotFoundInJwksError || error instanceof WaitPeriodNotYetEndedJwkError)
    return new TokenRejected({ reason: "UnknownKey" })
  if (error instanceof ClaimError) return new TokenRejected({ reason: error.reason })
  return new TokenRejected({ reason: error instanceof JwtBaseError ? error.constructor.name : "Malformed" })
}

/** The library's verifier and its key cache, behind the checks that the library leaves to us. */
export const makeVerifier = Effect.fnUntraced(function* ({
  issuer,
  clientId,
  jwksUri,
  fetcher,
  allowUnverifiedEmail,
}: TokenIssuer) {
  const keys = new CognitoKeys(issuer, fetcher, yield* Clock.Clock)
  // `JwtVerifier`, because `CognitoJwtVerifier` derives the issuer from the pool's id: an emulator has another one.
  const verifier = JwtVerifier.create(
    // `validateCognitoJwtFields` checks the client, which is the audience of id tokens only.
    // Expired is expired: a token that was logged out is remembered until its `exp` and no longer.
    { issuer, audience: null, jwksUri, graceSeconds: 0, includeRawJwtInErrors: false },
    { jwksCache: keys },
  )

  const verify = (token: string, tokenUse: "access" | "id"): Verified => {
    // Ours, because the library parses a token of any length.
    if (token.length > TOKEN_LENGTH) return Effect.fail(new TokenRejected({ reason: "Oversize" }))
    const verified = Effect.tryPromise({
      try: () =>
        verifier.verify(token, {
          customJwtCheck: ({ header, payload }) => {
            // RFC 7515: an extension that we do not know has to be refused. The library ignores `crit`.
            if ("crit" in header) throw new ClaimError("CriticalHeader")
            validateCognitoJwtFields(payload, { tokenUse, clientId })
          },
        }),
      catch: refused,
    })
    return Effect.flatMap(verified, (payload) =>
      Effect.flatMap(Clock.currentTimeMillis, (nowMillis) =>
        Effect.try({ try: () => readClaims(payload, nowMillis, allowUnverifiedEmail), catch: refused }),
      ),
    )
  }

  let freshUntilMillis = 0
  // Ours, because the library fetches only when a token names an unknown key, and so never drops a withdrawn one.
  const check = Effect.gen(function* () {
    if ((yield* monotonicMillis) < freshUntilMillis) return
    const keySet = yield* Effect.tryPromise({
      try: () => keys.getJwks(jwksUri),
      catch: (cause) => new CognitoFailure({ operation: "check", cause }),
    })
    // A key may have changed under its own name: this forgets the parsed keys, which the library's `hydrate` does not.
    verifier.cacheJwks(keySet)
    freshUntilMillis = (yield* monotonicMillis) + KEYS_FRESH_MILLIS
  })

  return { verify, check }
})
