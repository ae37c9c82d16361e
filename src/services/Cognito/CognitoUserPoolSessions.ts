import {
  type AuthenticationResultType,
  GetTokensFromRefreshTokenCommand,
  InitiateAuthCommand,
  RevokeTokenCommand,
} from "@aws-sdk/client-cognito-identity-provider"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import {
  type AccessTokenClaims,
  type Cognito,
  CognitoFailure,
  type Owner,
  type RevokeOutcome,
  TokenRejected,
} from "./Cognito.ts"
import { refusedIssued } from "./CognitoIssued.ts"
import type { Tokens } from "./CognitoTokens.ts"
import {
  call,
  checkingToken,
  limited,
  type Stage,
  unexpected,
  type UserPool,
} from "./CognitoUserPoolCalls.ts"
import { isNothingToRevoke, isSpent, refusedRefresh } from "./CognitoUserPoolErrors.ts"

/** The constraint of Cognito's API, whose refresh tokens have some 1.8 KiB. Any other text need not be sent. */
const REFRESH_TOKEN = /^[A-Za-z0-9._=-]{1,8192}$/

interface Answer {
  readonly AuthenticationResult?: AuthenticationResultType | undefined
}

/** Whether a token comes from the owner's sign-in; where the pool names no sign-ins, from any of the owner's. */
const isOwn = (claims: AccessTokenClaims, owner: Owner): boolean =>
  claims.userId === owner.userId &&
  (!claims.isTokenIdShared || !owner.isTokenIdShared || claims.tokenId === owner.tokenId)

/** Why an exchange gave no tokens: a failure, or what it says about the refresh token. */
const refusedExchange = (cause: unknown): CognitoFailure | RevokeOutcome => {
  if (isSpent(cause)) return "spent"
  return refusedRefresh(cause)._tag === "TokenRejected"
    ? "unknown"
    : new CognitoFailure({ operation: "revoke", cause })
}

/**
 * Exchanges a refresh token for other tokens. With a secret, InitiateAuth needs a hash of the user's `sub`, which an
 * opaque token does not tell; the newer operation takes the secret itself. Emulators do not have that one, so only
 * clients with a secret use it.
 */
const makeAsk =
  ({ client, clientId, clientSecret }: UserPool) =>
  <E>(refused: (cause: unknown) => E, refreshToken: string) =>
    call(refused, (options): Promise<Answer> => {
      if (Option.isSome(clientSecret)) {
        const ClientSecret = Redacted.value(clientSecret.value)
        const input = { ClientId: clientId, RefreshToken: refreshToken, ClientSecret }
        return client.send(new GetTokensFromRefreshTokenCommand(input), options)
      }
      const command = new InitiateAuthCommand({
        AuthFlow: "REFRESH_TOKEN_AUTH",
        ClientId: clientId,
        AuthParameters: { REFRESH_TOKEN: refreshToken },
      })
      return client.send(command, options)
    })

/** Revokes a refresh token, whoever it belongs to. */
const makeRevokeAny = ({ client, clientId, clientSecret }: UserPool) => {
  const secret = Option.isSome(clientSecret) ? { ClientSecret: Redacted.value(clientSecret.value) } : {}
  return (refreshToken: string) => {
    const command = new RevokeTokenCommand({ ClientId: clientId, Token: refreshToken, ...secret })
    return call(
      (cause) => cause,
      (options): Promise<unknown> => client.send(command, options),
    ).pipe(
      Effect.asVoid,
      Effect.catch((cause) =>
        isNothingToRevoke(cause)
          ? Effect.void
          : Effect.fail(new CognitoFailure({ operation: "revoke", cause })),
      ),
    )
  }
}

const makeRevoke = (pool: UserPool, tokens: Tokens) => {
  const ask = makeAsk(pool)
  const revokeAny = makeRevokeAny(pool)

  // A refresh token is opaque, and Cognito revokes any that it is given. Only the access token that it gets says whose
  // it is, so the token is exchanged first, and what it gets goes nowhere.
  const exchange = Effect.fnUntraced(function* (stage: Stage, refreshToken: string) {
    const { AccessToken, RefreshToken } =
      (yield* ask(refusedExchange, refreshToken)).AuthenticationResult ?? {}
    if (AccessToken === undefined) return yield* unexpected("revoke", "A refresh without an access token")
    // A token that no request could use is of no sign-in of the caller.
    const claims = yield* tokens.verifyAccess(AccessToken).pipe(
      checkingToken(stage, tokens),
      Effect.mapError(refusedIssued("revoke")),
      Effect.catchTag("TokenRejected", () => Effect.fail("foreign" as const)),
    )
    // Where refresh tokens rotate, the exchange has replaced the one that was sent, which may be good for a while.
    return { claims, refreshTokens: new Set([refreshToken, RefreshToken ?? refreshToken]) }
  })

  return Effect.fnUntraced(
    function* (stage: Stage, redacted: Redacted.Redacted, owner: Owner) {
      const refreshToken = Redacted.value(redacted)
      if (!REFRESH_TOKEN.test(refreshToken)) return "unknown"
      const { claims, refreshTokens } = yield* exchange(stage, refreshToken)
      if (!isOwn(claims, owner)) return "foreign"
      yield* Effect.forEach(refreshTokens, revokeAny, { concurrency: "unbounded", discard: true })
      return "revoked"
    },
    Effect.catch((refused): Effect.Effect<RevokeOutcome, CognitoFailure> =>
      typeof refused === "string" ? Effect.succeed(refused) : Effect.fail(refused),
    ),
  )
}

/** Exchanging a refresh token for an access token, and revoking it. Nothing is sent twice. */
export const makeSessions = (
  pool: UserPool,
  tokens: Tokens,
): Pick<Cognito["Service"], "refresh" | "revoke"> => {
  const ask = makeAsk(pool)
  const revoke = makeRevoke(pool, tokens)

  const refresh = Effect.fnUntraced(function* (redacted: Redacted.Redacted) {
    const refreshToken = Redacted.value(redacted)
    if (!REFRESH_TOKEN.test(refreshToken)) return yield* new TokenRejected({ reason: "Malformed" })
    const answer = yield* ask(refusedRefresh, refreshToken)
    const { AccessToken, RefreshToken } = answer.AuthenticationResult ?? {}
    if (AccessToken === undefined) return yield* unexpected("refresh", "A refresh without an access token")
    return {
      accessToken: AccessToken,
      refreshToken: RefreshToken === refreshToken ? undefined : RefreshToken,
    }
  })

  return {
    refresh: (refreshToken) =>
      limited("refresh", () => refresh(refreshToken)).pipe(
        Effect.withSpan("Cognito.refresh", { kind: "client" }),
      ),
    revoke: (refreshToken, owner) =>
      limited("revoke", (stage) => revoke(stage, refreshToken, owner)).pipe(
        Effect.withSpan("Cognito.revoke", { kind: "client" }),
      ),
  }
}
