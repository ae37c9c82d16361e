import { createHmac } from "node:crypto"
import {
  type AttributeType,
  GetUserCommand,
  type GetUserCommandOutput,
  InitiateAuthCommand,
  type InitiateAuthCommandOutput,
} from "@aws-sdk/client-cognito-identity-provider"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { UserId } from "../../domain/Score.ts"
import {
  type Cognito,
  type CognitoFailure,
  LoginRejected,
  type Profile,
  type TokenRejected,
} from "./Cognito.ts"
import type { Tokens } from "./CognitoTokens.ts"
import { isUserName } from "./CognitoUserName.ts"
import { call, limited, unexpected, type UserPool } from "./CognitoUserPoolCalls.ts"
import { refusedLogin, refusedProfile } from "./CognitoUserPoolErrors.ts"

/** What a client with a secret adds to a login: Base64 of HMAC-SHA256 over user name and client id. */
const secretHash = (secret: Redacted.Redacted, userName: string, clientId: string) =>
  createHmac("sha256", Redacted.value(secret)).update(`${userName}${clientId}`).digest("base64")

const attribute = (attributes: ReadonlyArray<AttributeType> | undefined, name: string) =>
  attributes?.find((candidate) => candidate.Name === name)?.Value || undefined

/** A token that the provider issued a moment ago and that is refused: the configuration or the provider is wrong. */
const notTheUsersFault = (error: TokenRejected | CognitoFailure): CognitoFailure =>
  error._tag === "CognitoFailure"
    ? error
    : unexpected("login", `A token that the identity provider just issued was refused: ${error.reason}`)

const getUser = Effect.fnUntraced(function* ({ client }: UserPool, accessToken: string) {
  const command = new GetUserCommand({ AccessToken: accessToken })
  const user = yield* call(refusedProfile, (options): Promise<GetUserCommandOutput> =>
    client.send(command, options),
  )
  const sub = attribute(user.UserAttributes, "sub")
  const email = attribute(user.UserAttributes, "email") ?? user.Username
  if (sub === undefined || email === undefined) {
    return yield* unexpected("profile", "A user without sub or name")
  }
  const profile: Profile = { userId: UserId.make(sub), email }
  return profile
})

const initiateAuth = (
  { client, clientId, clientSecret }: UserPool,
  email: string,
  password: Redacted.Redacted,
) => {
  const command = new InitiateAuthCommand({
    AuthFlow: "USER_PASSWORD_AUTH",
    ClientId: clientId,
    AuthParameters: {
      USERNAME: email,
      PASSWORD: Redacted.value(password),
      ...(Option.isSome(clientSecret)
        ? { SECRET_HASH: secretHash(clientSecret.value, email, clientId) }
        : {}),
    },
  })
  return call(refusedLogin, (options): Promise<InitiateAuthCommandOutput> => client.send(command, options))
}

/** Signing in, and the question who a user is. Nothing is sent twice. */
export const makeLogin = (pool: UserPool, tokens: Tokens): Pick<Cognito["Service"], "login" | "profile"> => {
  const login = Effect.fnUntraced(function* (email: string, password: Redacted.Redacted) {
    if (!isUserName(email)) return yield* new LoginRejected({ reason: "MalformedUserName" })
    const answer = yield* initiateAuth(pool, email, password)
    if (answer.ChallengeName !== undefined) return yield* new LoginRejected({ reason: answer.ChallengeName })
    const { AccessToken, IdToken, RefreshToken } = answer.AuthenticationResult ?? {}
    if (AccessToken === undefined || IdToken === undefined || RefreshToken === undefined) {
      return yield* unexpected("login", "A login without challenge and without all three tokens")
    }
    const claims = yield* Effect.mapError(tokens.verifyId(IdToken), notTheUsersFault)
    const profile: Profile =
      claims.email === undefined
        ? yield* Effect.mapError(getUser(pool, AccessToken), notTheUsersFault)
        : { userId: claims.userId, email: claims.email }
    return { accessToken: AccessToken, refreshToken: RefreshToken, profile }
  })

  return {
    login: (email, password) =>
      login(email, password).pipe(limited("login"), Effect.withSpan("Cognito.login", { kind: "client" })),
    profile: (accessToken) =>
      getUser(pool, accessToken).pipe(
        limited("profile"),
        Effect.withSpan("Cognito.profile", { kind: "client" }),
      ),
  }
}
