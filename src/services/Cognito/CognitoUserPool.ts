import { CognitoIdentityProviderClient } from "@aws-sdk/client-cognito-identity-provider"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { HttpUrl } from "../../foundation/HttpUrl.ts"
import { Cognito } from "./Cognito.ts"
import { makeKeyFetcher } from "./CognitoKeyFetcher.ts"
import { makeTokens } from "./CognitoTokens.ts"
import { makeLogin } from "./CognitoUserPoolLogin.ts"
import { makeSessions } from "./CognitoUserPoolSessions.ts"

/** The region, an underscore and the pool's own name, such as `eu-west-1_AbC123`. */
const UserPoolId = Schema.String.check(Schema.isPattern(/^[a-z0-9-]+_[A-Za-z0-9]+$/))

/** What the layer reads. `COGNITO_ISSUER` remains text, because it is compared letter by letter. */
export const config = {
  userPoolId: Config.schema(UserPoolId, "COGNITO_USER_POOL_ID"),
  clientId: Config.NonEmptyString("COGNITO_CLIENT_ID"),
  clientSecret: Config.option(Config.Redacted("COGNITO_CLIENT_SECRET")),
  issuer: Config.option(Config.NonEmptyString("COGNITO_ISSUER")),
  jwksUri: Config.option(Config.schema(HttpUrl, "COGNITO_JWKS_URI")),
  endpoint: Config.option(Config.schema(HttpUrl, "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER")),
  unverifiedEmail: Config.schema(Schema.Literals(["refuse", "allow"]), "EMAIL_UNVERIFIED").pipe(
    Config.withDefault("refuse" as const),
  ),
}

/** How long a connection may take to open, in milliseconds: within one region it takes a few. */
const CONNECT_MILLIS = 1_000

/** The SDK's client, closed with the scope. */
const makeClient = (region: string, endpoint: Option.Option<URL>) =>
  Effect.acquireRelease(
    Effect.sync(
      () =>
        new CognitoIdentityProviderClient({
          region,
          ...(Option.isSome(endpoint) ? { endpoint: endpoint.value.href } : {}),
          // One: a repeated login counts as another attempt, and the SDK would also repeat what was throttled.
          maxAttempts: 1,
          requestHandler: { connectionTimeout: CONNECT_MILLIS },
        }),
    ),
    (client) => Effect.sync(() => client.destroy()),
  )

/** All calls to the pool are public operations: the SDK signs none of them and looks up no credentials. */
const make = Effect.gen(function* () {
  const { userPoolId, clientId, clientSecret, unverifiedEmail, ...optional } = yield* Config.all(config)
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
  const allowUnverifiedEmail = unverifiedEmail === "allow"
  const fetcher = yield* makeKeyFetcher
  const pool = { client, clientId, clientSecret, allowUnverifiedEmail }
  const tokens = yield* makeTokens({ issuer, clientId, jwksUri, fetcher, allowUnverifiedEmail })
  return Cognito.of({
    ...makeLogin(pool, tokens),
    ...makeSessions(pool, tokens),
    verify: tokens.verifyAccess,
    check: tokens.check,
  })
})

/**
 * A user pool of Amazon Cognito, or an emulator of it. Wrong configuration fails the layer; an unavailable provider
 * does not.
 */
export const layer = Layer.effect(Cognito, make)
