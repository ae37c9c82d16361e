import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type CognitoFailure, TokenRejected } from "./Cognito.ts"
import { makeTokenMemory, tokenDigest } from "./CognitoTokenMemory.ts"
import { makeVerifier, type TokenIssuer, type Verified } from "./CognitoVerifier.ts"

/** Verified tokens that are remembered, some 5 MB. A player has one token an hour. */
const REMEMBERED_TOKENS = 10_000

/** Remembers each verified token until it expires, so that a player's token costs one signature check. */
const remembering = (verify: (token: string) => Verified) => {
  const memory = makeTokenMemory(REMEMBERED_TOKENS)
  return (token: string): Verified =>
    Clock.clockWith((clock): Verified => {
      const digest = tokenDigest(token)
      const claims = memory.recall(digest)
      if (claims === undefined) {
        return Effect.tap(verify(token), (verified) => Effect.sync(() => memory.remember(digest, verified)))
      }
      if (clock.currentTimeMillisUnsafe() < claims.expiresAtSeconds * 1000) return Effect.succeed(claims)
      memory.forget(digest)
      return Effect.fail(new TokenRejected({ reason: "JwtExpiredError" }))
    })
}

/** Checks the tokens of one issuer and client: the same code for Cognito, an emulator and the local provider. */
export interface Tokens {
  /** Where the issuer's keys are. */
  readonly jwksUri: string
  /** As `Cognito.verify`. */
  readonly verifyAccess: (token: string) => Verified
  /** The same for an id token, which is not remembered. */
  readonly verifyId: (token: string) => Verified
  /** As `Cognito.check`. */
  readonly check: Effect.Effect<void, CognitoFailure>
}

/**
 * Begins to fetch the keys in the background, within the scope. While the issuer is unavailable, tokens of known keys
 * are still accepted; a token that names another key is a `CognitoFailure`.
 *
 * A key that the issuer withdraws remains valid for the access tokens that were verified before.
 */
export const makeTokens = Effect.fnUntraced(function* (issuer: TokenIssuer) {
  const { verify, check } = yield* makeVerifier(issuer)
  // A failure is not lost: whoever needs the keys next fetches again, or gets this failure within the second after.
  yield* Effect.forkScoped(Effect.ignore(check))
  const tokens: Tokens = {
    jwksUri: issuer.jwksUri,
    verifyAccess: remembering((token) => verify(token, "access")),
    verifyId: (token) => verify(token, "id"),
    check,
  }
  return tokens
})
