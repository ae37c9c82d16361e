import { randomUUID } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { UserId } from "../../domain/Score.ts"
import type { LocalKey } from "./CognitoLocalKey.ts"
import { makeTokens } from "./CognitoTokens.ts"

/** The local provider's `iss`: a name, nothing is fetched from it. */
const ISSUER = "urn:scoreboard:local-identity"

/** The local provider's `client_id`. */
const CLIENT_ID = "scoreboard-local"

/** How long an access token is valid, in seconds: Cognito's default of one hour. */
const TOKEN_SECONDS = 3600

/** The claims of Cognito's own access tokens, which have no e-mail either. */
const accessTokenClaims = (userId: UserId, sessionId: string, signedInAt: number, nowSeconds: number) => ({
  sub: userId,
  iss: ISSUER,
  client_id: CLIENT_ID,
  origin_jti: sessionId,
  token_use: "access",
  scope: "aws.cognito.signin.user.admin",
  auth_time: signedInAt,
  exp: nowSeconds + TOKEN_SECONDS,
  iat: nowSeconds,
  jti: randomUUID(),
  username: userId,
})

/** Issues access tokens, and checks them with the verifier of Cognito's tokens. */
export const makeLocalTokens = Effect.fnUntraced(function* (key: LocalKey) {
  // The key set is in memory. The verifier "fetches" it like any other, so that both providers share its code.
  const keySet = new TextEncoder().encode(JSON.stringify(key.keySet)).buffer
  const tokens = yield* makeTokens({
    issuer: ISSUER,
    clientId: CLIENT_ID,
    jwksUri: ISSUER,
    fetcher: { fetch: async () => keySet },
    allowUnverifiedEmail: false,
  })

  /** A new access token of this user and this sign-in, which began at `signedInAt`, in seconds since 1970. */
  const issue = (userId: UserId, sessionId: string, signedInAt: number) =>
    Effect.map(Clock.currentTimeMillis, (nowMillis) =>
      key.sign(accessTokenClaims(userId, sessionId, signedInAt, Math.floor(nowMillis / 1000))),
    )

  return { ...tokens, issue }
})

export type LocalTokens = Effect.Success<ReturnType<typeof makeLocalTokens>>
