import { createHmac } from "node:crypto"
import {
  type AttributeType,
  CognitoIdentityProviderClient,
  GetUserCommand,
  type GetUserCommandOutput,
  InitiateAuthCommand,
  type InitiateAuthCommandOutput,
} from "@aws-sdk/client-cognito-identity-provider"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { UserId } from "../../domain/Score.ts"
import { HttpUrl } from "../../foundation/HttpUrl.ts"
import { Cognito, CognitoFailure, LoginRejected, type Profile, type TokenRejected } from "./Cognito.ts"
import { call, limited, unexpected } from "./CognitoUserPoolCalls.ts"
import { refusedLogin, refusedProfile } from "./CognitoUserPoolErrors.ts"
import { makeAwsSessions } from "./CognitoUserPoolSessions.ts"
import { makeKeyFetcher } from "./CognitoKeyFetcher.ts"
import { makeTokens } from "./CognitoTokens.ts"
import { isUserName } from "./CognitoUserName.ts"

/** The region, an underscore and the pool's own name, such as `eu-west-1_AbC123`. */
const UserPoolId = Schema.String.check(Schema.isPattern(/^[a-z0-9-]+_[A-Za-z0-9]+$/))

/** What the layer reads. `COGNITO_ISSUER` is compared as it is written, so it stays a text. */
export const config = {
  userPoolId: Config.schema(UserPoolId, "COGNITO_USER_POOL_ID"),
  clientId: Config.NonEmptyString("COGNITO_CLIENT_ID"),
  clientSecret: Config.option(Config.Redacted("COGNITO_CLIENT_SECRET")),
  issuer: Config.option(Config.NonEmptyString("COGNITO_ISSUER")),
  jwksUri: Config.option(Config.schema(HttpUrl, "COGNITO_JWKS_URI")),
  endpoint: Config.option(Config.schema(HttpUrl, "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER")),
}

/** A connection in one region takes milliseconds. */
const CONNECT_MILLIS = 1_000

/** Base64 of HMAC-SHA256 over user name and client id: what a client with a secret adds to a login. */
const secretHash = (secret: Redacted.Redacted, userName: string, clientId: string) =>
  createHmac("sha256", Redacted.value(secret)).update(`${userName}${clientId}`).digest("base64")

const attribute = (attributes: ReadonlyArray<AttributeType> | undefined, name: string) =>
  attributes?.find((candidate) => candidate.Name === name)?.Value || undefined

/** Tokens that were issued this moment and do not hold are the fault of our configuration. */
const ownFault = (error: TokenRejected | CognitoFailure): CognitoFailure =>
  error._tag === "CognitoFailure" ? error : new CognitoFailure({ operation: "login", cause: error })

const makeClient = (region: string, endpoint: Option.Option<URL>) =>
  Effect.acquireRelease(
    Effect.sync(
      () =>
        new CognitoIdentityProviderClient({
          region,
          ...(Option.isSome(endpoint) ? { endpoint: endpoint.value.href } : {}),
          // One: a repeated login would count as another attempt, and the SDK repeats what was throttled, too.
          maxAttempts: 1,
          requestHandler: { connectionTimeout: CONNECT_MILLIS },
        }),
    ),
    (client) => Effect.sync(() => client.destroy()),
  )

/** All calls that are made of the pool are public operations: they are not signed, no credentials are looked up. */
const make = Effect.gen(function* () {
  const { userPoolId, clientId, clientSecret, ...optional } = yield* Config.all(config)
  const region = userPoolId.slice(0, userPoolId.indexOf("_"))
  const issuer = Option.getOrElse(
    optional.issuer,
    () => `https://cognito-idp.${region}.amazonaws.com/${userPoolId}`,
  )
  const jwksUri = Option.match(optional.jwksUri, {
    onNone: () => `${issuer}/.well-known/jwks.json`,
    onSome: (uri) => uri.href,
  })
  const client = yield* makeClient(region, optional.endpoint)
  const tokens = yield* makeTokens({ issuer, clientId, jwksUri, fetcher: yield* makeKeyFetcher })

  const getUser = Effect.fnUntraced(function* (accessToken: string) {
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

  const initiateAuth = (email: string, password: Redacted.Redacted) => {
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

  const login = Effect.fnUntraced(function* (email: string, password: Redacted.Redacted) {
    if (!isUserName(email)) return yield* new LoginRejected({ reason: "MalformedUserName" })
    const answer = yield* initiateAuth(email, password)
    if (answer.ChallengeName !== undefined) return yield* new LoginRejected({ reason: answer.ChallengeName })
    const { AccessToken, IdToken, RefreshToken } = answer.AuthenticationResult ?? {}
    if (AccessToken === undefined || IdToken === undefined || RefreshToken === undefined) {
      return yield* unexpected("login", "A login without challenge and without all three tokens")
    }
    const claims = yield* Effect.mapError(tokens.verifyId(IdToken), ownFault)
    const profile: Profile =
      claims.email === undefined
        ? yield* Effect.mapError(getUser(AccessToken), ownFault)
        : { userId: claims.userId, email: claims.email }
    return { accessToken: AccessToken, refreshToken: RefreshToken, profile }
  })

  const service: Cognito["Service"] = {
    login: (email, password) =>
      login(email, password).pipe(limited("login"), Effect.withSpan("Cognito.login", { kind: "client" })),
    verify: tokens.verifyAccess,
    profile: (accessToken) =>
      getUser(accessToken).pipe(limited("profile"), Effect.withSpan("Cognito.profile", { kind: "client" })),
    ...makeAwsSessions(client, clientId, clientSecret),
    check: tokens.check,
  }
  return service
})

/**
 * A user pool of Amazon Cognito, or an emulator of it. Bad configuration fails; an unavailable provider does not.
 */
export const layer = Layer.effect(Cognito, make)
