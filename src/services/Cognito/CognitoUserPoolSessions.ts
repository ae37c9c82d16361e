import {
  type AuthenticationResultType,
  GetTokensFromRefreshTokenCommand,
  InitiateAuthCommand,
  RevokeTokenCommand,
} from "@aws-sdk/client-cognito-identity-provider"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { type Cognito, CognitoFailure, TokenRejected } from "./Cognito.ts"
import { call, limited, unexpected, type UserPool } from "./CognitoUserPoolCalls.ts"
import { isNothingToRevoke, refusedRefresh } from "./CognitoUserPoolErrors.ts"

/** The constraint of Cognito's API, whose refresh tokens have some 1.8 KiB. Any other text need not be sent. */
const REFRESH_TOKEN = /^[A-Za-z0-9._=-]{1,8192}$/

interface Answer {
  readonly AuthenticationResult?: AuthenticationResultType | undefined
}

/** Exchanging a refresh token for an access token, and revoking it. Nothing is sent twice. */
export const makeSessions = ({
  client,
  clientId,
  clientSecret,
}: UserPool): Pick<Cognito["Service"], "refresh" | "revoke"> => {
  const secret = Option.isSome(clientSecret) ? { ClientSecret: Redacted.value(clientSecret.value) } : {}

  // With a secret, InitiateAuth needs a hash of the user's `sub`, which an opaque token does not tell; the newer
  // operation takes the secret itself. Emulators do not have that one, so only clients with a secret use it.
  const ask = (refreshToken: string) =>
    call(refusedRefresh, (options): Promise<Answer> => {
      if (Option.isSome(clientSecret)) {
        const input = { ClientId: clientId, RefreshToken: refreshToken, ...secret }
        return client.send(new GetTokensFromRefreshTokenCommand(input), options)
      }
      const command = new InitiateAuthCommand({
        AuthFlow: "REFRESH_TOKEN_AUTH",
        ClientId: clientId,
        AuthParameters: { REFRESH_TOKEN: refreshToken },
      })
      return client.send(command, options)
    })

  const refresh = Effect.fnUntraced(function* (redacted: Redacted.Redacted) {
    const refreshToken = Redacted.value(redacted)
    if (!REFRESH_TOKEN.test(refreshToken)) return yield* new TokenRejected({ reason: "Malformed" })
    const { AccessToken, RefreshToken } = (yield* ask(refreshToken)).AuthenticationResult ?? {}
    if (AccessToken === undefined) return yield* unexpected("refresh", "A refresh without an access token")
    return {
      accessToken: AccessToken,
      refreshToken: RefreshToken === refreshToken ? undefined : RefreshToken,
    }
  })

  const revoke = Effect.fnUntraced(function* (redacted: Redacted.Redacted) {
    const refreshToken = Redacted.value(redacted)
    if (!REFRESH_TOKEN.test(refreshToken)) return
    const command = new RevokeTokenCommand({ ClientId: clientId, Token: refreshToken, ...secret })
    yield* call(
      (cause) => cause,
      (options): Promise<unknown> => client.send(command, options),
    ).pipe(
      Effect.catch((cause) =>
        isNothingToRevoke(cause)
          ? Effect.void
          : Effect.fail(new CognitoFailure({ operation: "revoke", cause })),
      ),
    )
  })

  return {
    refresh: (refreshToken) =>
      refresh(refreshToken).pipe(limited("refresh"), Effect.withSpan("Cognito.refresh", { kind: "client" })),
    revoke: (refreshToken) =>
      revoke(refreshToken).pipe(limited("revoke"), Effect.withSpan("Cognito.revoke", { kind: "client" })),
  }
}
