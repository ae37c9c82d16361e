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
import { monotonicMillis } from "../../foundation/MonotonicTime.ts"
import {
  type Cognito,
  type CognitoFailure,
  LoginRejected,
  type Profile,
  type TokenRejected,
} from "./Cognito.ts"
import { isUnverified, storableEmail } from "./CognitoEmail.ts"
import { refusedIssued } from "./CognitoIssued.ts"
import type { Tokens } from "./CognitoTokens.ts"
import { isUserName } from "./CognitoUserName.ts"
import {
  call,
  checkingToken,
  limited,
  type Stage,
  unexpected,
  type UserPool,
} from "./CognitoUserPoolCalls.ts"
import { refusedLogin, refusedProfile, WITHOUT_SCOPE } from "./CognitoUserPoolErrors.ts"

/** What a client with a secret adds to a login: Base64 of HMAC-SHA256 over user name and client id. */
const secretHash = (secret: Redacted.Redacted, userName: string, clientId: string) =>
  createHmac("sha256", Redacted.value(secret)).update(`${userName}${clientId}`).digest("base64")

const attribute = (attributes: ReadonlyArray<AttributeType> | undefined, name: string) =>
  attributes?.find((candidate) => candidate.Name === name)?.Value || undefined

/** Why a login fails whose token is refused. */
const refusedToken = (error: TokenRejected | CognitoFailure): LoginRejected | CognitoFailure => {
  const refused = refusedIssued("login")(error)
  return refused._tag === "TokenRejected" ? new LoginRejected({ reason: refused.reason }) : refused
}

/** The scope that `GetUser` needs. */
const GET_USER_SCOPE = "aws.cognito.signin.user.admin"

/** How often a missing scope is logged at most: it is missing in all tokens of an app client, or in none. */
const SCOPE_LOG_MILLIS = 60_000

/** Asks the pool who the user of an access token is. */
const makeGetUser = ({ client, allowUnverifiedEmail }: UserPool) => {
  let silentUntilMillis = 0
  const logMissingScope = Effect.gen(function* () {
    const nowMillis = yield* monotonicMillis
    if (nowMillis < silentUntilMillis) return
    silentUntilMillis = nowMillis + SCOPE_LOG_MILLIS
    yield* Effect.logWarning(
      "A valid access token lacks the scope for GetUser, so its player cannot be stored and gets 401",
      { scope: GET_USER_SCOPE },
    )
  })

  return Effect.fnUntraced(function* (accessToken: string) {
    const command = new GetUserCommand({ AccessToken: accessToken })
    const user = yield* call(refusedProfile, (options): Promise<GetUserCommandOutput> =>
      client.send(command, options),
    ).pipe(
      Effect.tapError((error) =>
        error._tag === "TokenRejected" && error.reason === WITHOUT_SCOPE ? logMissingScope : Effect.void,
      ),
    )
    const sub = attribute(user.UserAttributes, "sub")
    const address = storableEmail(attribute(user.UserAttributes, "email"))
    const email = address ?? storableEmail(user.Username)
    if (sub === undefined || email === undefined) {
      return yield* unexpected("profile", "A user without sub or name")
    }
    const isRefused =
      !allowUnverifiedEmail &&
      address !== undefined &&
      isUnverified(attribute(user.UserAttributes, "email_verified"))
    const profile: Profile = { userId: UserId.make(sub), email: isRefused ? undefined : email }
    return profile
  })
}

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
  const getUser = makeGetUser(pool)

  const login = Effect.fnUntraced(function* (stage: Stage, email: string, password: Redacted.Redacted) {
    if (!isUserName(email)) return yield* new LoginRejected({ reason: "MalformedUserName" })
    const answer = yield* initiateAuth(pool, email, password)
    if (answer.ChallengeName !== undefined) return yield* new LoginRejected({ reason: answer.ChallengeName })
    const { AccessToken, IdToken, RefreshToken } = answer.AuthenticationResult ?? {}
    if (AccessToken === undefined || IdToken === undefined || RefreshToken === undefined) {
      return yield* unexpected("login", "A login without challenge and without all three tokens")
    }
    const claims = yield* tokens
      .verifyId(IdToken)
      .pipe(checkingToken(stage, tokens), Effect.mapError(refusedToken))
    const profile: Profile =
      claims.email === undefined && !claims.isEmailUnverified
        ? yield* Effect.mapError(getUser(AccessToken), refusedToken)
        : { userId: claims.userId, email: claims.email }
    return { accessToken: AccessToken, refreshToken: RefreshToken, profile }
  })

  return {
    login: (email, password) =>
      limited("login", (stage) => login(stage, email, password)).pipe(
        Effect.withSpan("Cognito.login", { kind: "client" }),
      ),
    profile: (accessToken) =>
      limited("profile", () => getUser(accessToken)).pipe(
        Effect.withSpan("Cognito.profile", { kind: "client" }),
      ),
  }
}
