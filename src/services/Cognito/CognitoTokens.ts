import { validateCognitoJwtFields } from "aws-jwt-verify/cognito-verifier"
import { JwksNotAvailableInCacheError, JwtBaseError, KidNotFoundInJwksError } from "aws-jwt-verify/error"
import type { JwtPayload } from "aws-jwt-verify/jwt-model"
import { JwtVerifier } from "aws-jwt-verify/jwt-verifier"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { UserId } from "../../domain/Score.ts"
import { type AccessTokenClaims, CognitoFailure, TokenRejected } from "./Cognito.ts"
import { type KeySource, makeKeyRing } from "./CognitoKeys.ts"
import { makeTokenMemory, tokenDigest } from "./CognitoTokenMemory.ts"

/** Longer is refused unread, in UTF-16 units. Cognito's access tokens have 1 KiB, with many groups 4. */
const TOKEN_LENGTH = 8192

/** How far the issuer's clock may be ahead of ours, in seconds: tokens are used the moment they are issued. */
const CLOCK_SKEW_SECONDS = 60

/** Verified tokens that are remembered, some 5 MB. A player has one token an hour. */
const REMEMBERED_TOKENS = 10_000

/** `check` asks the issuer again when its last answer is older; that also drops a key that was withdrawn. */
const KEYS_FRESH_MILLIS = 60_000

/** A claim that the library lets pass and we do not. */
class ClaimError extends Error {
  readonly reason: string
  constructor(reason: string) {
    super(reason)
    this.reason = reason
  }
}

/** The checks of ours, beside the library's of signature, algorithm, issuer, `exp`, `nbf`, use and client. */
const readClaims = (payload: JwtPayload, nowMillis: number): AccessTokenClaims => {
  const { exp, iat, sub, jti, origin_jti: origin, email } = payload
  if (exp === undefined) throw new ClaimError("MissingExpiry")
  // The library still takes a token in the very second of its `exp`.
  if (nowMillis >= exp * 1000) throw new ClaimError("JwtExpiredError")
  if (iat !== undefined && iat > nowMillis / 1000 + CLOCK_SKEW_SECONDS)
    throw new ClaimError("IssuedInTheFuture")
  if (sub === undefined || sub === "") throw new ClaimError("MissingSubject")
  return {
    userId: UserId.make(sub),
    tokenId: (typeof origin === "string" && origin) || jti || undefined,
    email: typeof email === "string" && email !== "" ? email : undefined,
    expiresAtSeconds: exp,
  }
}

/** The token names a key that is not among ours, or we have none yet. */
class UnknownKey extends Data.TaggedError("UnknownKey") {}

/** The reason is a name out of the code, never a message: those quote the token. */
const refused = (error: unknown): UnknownKey | TokenRejected => {
  if (error instanceof KidNotFoundInJwksError || error instanceof JwksNotAvailableInCacheError)
    return new UnknownKey()
  if (error instanceof ClaimError) return new TokenRejected({ reason: error.reason })
  return new TokenRejected({ reason: error instanceof JwtBaseError ? error.constructor.name : "Malformed" })
}

type Verified = Effect.Effect<AccessTokenClaims, TokenRejected | CognitoFailure>

/** Checks the tokens of one issuer and client: the same code for Cognito, an emulator and the local provider. */
export interface Tokens {
  /** As `Cognito.verify`. */
  readonly verifyAccess: (token: string) => Verified
  /** The same for an id token, which is not remembered. */
  readonly verifyId: (token: string) => Verified
  /** As `Cognito.check`. */
  readonly check: Effect.Effect<void, CognitoFailure>
}

/**
 * Begins to fetch the keys in the background, within the scope. While the issuer is away, tokens of known keys go
 * on; a token that names another key is a `CognitoFailure`.
 *
 * A verified access token is remembered until it expires, so that a player costs one signature check. A key that
 * the issuer withdraws therefore stays good for the tokens already seen.
 */
export const makeTokens = Effect.fnUntraced(function* (options: {
  readonly issuer: string
  readonly clientId: string
  readonly keys: KeySource
}) {
  const { issuer, clientId } = options
  // The address only names a place in the library's memory: `verifySync` never fetches.
  const verifier = JwtVerifier.create({ issuer, audience: null, jwksUri: "keys:" })
  const keyRing = yield* makeKeyRing(options.keys, (keys) => verifier.cacheJwks({ keys: [...keys] }))
  const memory = makeTokenMemory(REMEMBERED_TOKENS)

  // The outcome is kept by the ring: whoever needs the keys next is told.
  yield* Effect.forkScoped(Effect.ignore(keyRing.lookAgain))

  const read = (token: string, tokenUse: "access" | "id", nowMillis: number): AccessTokenClaims => {
    const payload = verifier.verifySync(token, {
      customJwtCheck: (jwt) => {
        if ("crit" in jwt.header) throw new ClaimError("CriticalHeader")
        validateCognitoJwtFields(jwt.payload, { tokenUse, clientId })
      },
    })
    return readClaims(payload, nowMillis)
  }

  const verify = (token: string, tokenUse: "access" | "id"): Verified => {
    if (token.length > TOKEN_LENGTH) return Effect.fail(new TokenRejected({ reason: "Oversize" }))
    const attempt = Effect.flatMap(Clock.currentTimeMillis, (nowMillis) =>
      Effect.try({ try: () => read(token, tokenUse, nowMillis), catch: refused }),
    )
    const lookAgain = Effect.mapError(
      keyRing.lookAgain,
      (cause) => new CognitoFailure({ operation: "verify", cause }),
    )
    return attempt.pipe(
      Effect.catchTag("UnknownKey", () => Effect.andThen(lookAgain, attempt)),
      Effect.catchTag("UnknownKey", () => Effect.fail(new TokenRejected({ reason: "UnknownKey" }))),
    )
  }

  const verifyAccess = (token: string): Verified =>
    Clock.clockWith((clock): Verified => {
      const digest = tokenDigest(token)
      const claims = memory.recall(digest)
      if (claims === undefined) {
        return Effect.tap(verify(token, "access"), (verified) =>
          Effect.sync(() => memory.remember(digest, verified)),
        )
      }
      if (clock.currentTimeMillisUnsafe() < claims.expiresAtSeconds * 1000) return Effect.succeed(claims)
      memory.forget(digest)
      return Effect.fail(new TokenRejected({ reason: "JwtExpiredError" }))
    })

  const tokens: Tokens = {
    verifyAccess,
    verifyId: (token) => verify(token, "id"),
    check: Effect.mapError(
      keyRing.freshen(KEYS_FRESH_MILLIS),
      (cause) => new CognitoFailure({ operation: "check", cause }),
    ),
  }
  return tokens
})
