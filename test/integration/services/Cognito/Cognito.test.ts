import { createHmac } from "node:crypto"
import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import { Cognito } from "../../../../src/services/Cognito/Cognito.ts"
import * as CognitoUserPool from "../../../../src/services/Cognito/CognitoUserPool.ts"
import { cognitoContract, CognitoFixture } from "../../../contracts/Cognito.ts"
import * as CognitoServer from "../../../support/engines/CognitoServer.ts"
import * as FakeCognito from "../../../support/engines/FakeCognito.ts"
import { type Answer, CLIENT, json, mute, POOL, refusal } from "../../../support/engines/FakeCognito.ts"
import { timedRunning } from "../../../support/stalls.ts"

const withEnv = (env: Readonly<Record<string, string>>) =>
  CognitoUserPool.layer.pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(env))))

const InitiateAuthAnswer = Schema.fromJsonString(
  Schema.Struct({ AuthenticationResult: Schema.Struct({ IdToken: Schema.String }) }),
)

/** An id token, requested from the provider directly, because the service gives none. */
const requestIdToken = async ({ env, users: [user] }: CognitoServer.CognitoEngine) => {
  const response = await fetch(env.AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER, {
    method: "POST",
    headers: {
      "content-type": "application/x-amz-json-1.1",
      "x-amz-target": "AWSCognitoIdentityProviderService.InitiateAuth",
    },
    body: JSON.stringify({
      AuthFlow: "USER_PASSWORD_AUTH",
      ClientId: env.COGNITO_CLIENT_ID,
      AuthParameters: { USERNAME: user.email, PASSWORD: user.password },
    }),
  })
  const answer = await Schema.decodePromise(InitiateAuthAnswer)(await response.text())
  return answer.AuthenticationResult.IdToken
}

cognitoContract(
  "cognito-local",
  Layer.unwrap(
    Effect.map(CognitoServer.make(), (engine) =>
      Layer.merge(
        withEnv(engine.env),
        Layer.succeed(CognitoFixture, {
          user: engine.users[0],
          idToken: Effect.promise(() => requestIdToken(engine)),
        }),
      ),
    ),
  ),
)

const USER = { email: "ada@example.com", password: Redacted.make("secret") }

const connect = (env: Readonly<Record<string, string>>) =>
  Effect.map(Layer.build(withEnv(env)), (context) => Effect.provideContext(Cognito, context)).pipe(
    Effect.flatten,
  )

const setup = Effect.gen(function* () {
  const provider = yield* FakeCognito.make
  return { ...provider, cognito: yield* connect(provider.env) }
})
const login = (cognito: Cognito["Service"]) => cognito.login(USER.email, USER.password)

describe("login", () => {
  const OUTCOMES: ReadonlyArray<readonly [string, Answer, string]> = [
    [
      "NotAuthorizedException",
      refusal("NotAuthorizedException", "Incorrect username or password."),
      "LoginRejected",
    ],
    ["a disabled user", refusal("NotAuthorizedException", "User is disabled."), "LoginRejected"],
    ["UserNotFoundException", refusal("UserNotFoundException"), "LoginRejected"],
    ["InvalidPasswordException", refusal("InvalidPasswordException"), "LoginRejected"],
    ["UserNotConfirmedException", refusal("UserNotConfirmedException"), "LoginRejected"],
    ["PasswordResetRequiredException", refusal("PasswordResetRequiredException"), "LoginRejected"],
    ["UserLambdaValidationException", refusal("UserLambdaValidationException"), "LoginRejected"],
    [
      "NEW_PASSWORD_REQUIRED",
      json(200, { ChallengeName: "NEW_PASSWORD_REQUIRED", Session: "s" }),
      "LoginRejected",
    ],
    ["SMS_MFA", json(200, { ChallengeName: "SMS_MFA", Session: "s" }), "LoginRejected"],
    [
      "a malformed password",
      refusal(
        "InvalidParameterException",
        "1 validation error detected: Value at 'password' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\S]+.*[\\S]+",
      ),
      "LoginRejected",
    ],
    [
      "an account that is locked out",
      refusal("NotAuthorizedException", "Password attempts exceeded"),
      "LoginThrottled",
    ],
    ["TooManyRequestsException", refusal("TooManyRequestsException"), "LoginThrottled"],
    ["LimitExceededException", refusal("LimitExceededException"), "LoginThrottled"],
    ["TooManyFailedAttemptsException", refusal("TooManyFailedAttemptsException"), "LoginThrottled"],
    ["an unknown client", refusal("ResourceNotFoundException"), "CognitoFailure"],
    [
      "a flow that is not enabled",
      refusal("InvalidParameterException", "USER_PASSWORD_AUTH flow not enabled for this client"),
      "CognitoFailure",
    ],
    [
      "a missing client secret",
      refusal("NotAuthorizedException", "Client client is configured for secret but secret was not received"),
      "CognitoFailure",
    ],
    [
      "a wrong client secret",
      refusal("NotAuthorizedException", "Unable to verify secret hash for client client"),
      "CognitoFailure",
    ],
    ["InternalErrorException", json(500, { __type: "InternalErrorException" }), "CognitoFailure"],
    ["an answer without tokens", json(200, { AuthenticationResult: {} }), "CognitoFailure"],
    ["an empty answer", json(200, {}), "CognitoFailure"],
    ["no JSON", (_request, response) => void response.end("<html>"), "CognitoFailure"],
    ["a lost connection", (request) => void request.socket.destroy(), "CognitoFailure"],
  ]
  for (const [title, answer, outcome] of OUTCOMES) {
    it.live(`is a ${outcome} on ${title}, asked once`, () =>
      Effect.gen(function* () {
        const { cognito, answers, requests } = yield* setup
        answers.InitiateAuth = answer
        const error = yield* Effect.flip(login(cognito))
        assert.strictEqual(error._tag, outcome)
        assert.strictEqual(requests.filter(({ operation }) => operation === "InitiateAuth").length, 1)
      }),
    )
  }

  it.live("is a CognitoFailure within three seconds when nothing is answered", () =>
    Effect.gen(function* () {
      const { cognito, answers } = yield* setup
      answers.InitiateAuth = mute
      const [elapsed, error] = yield* timedRunning(Effect.flip(login(cognito)))
      assert.strictEqual(error._tag, "CognitoFailure")
      assert.isBelow(elapsed, 4_000)
    }),
  )

  it.live("is a CognitoFailure when nobody listens", () =>
    Effect.gen(function* () {
      const { env } = yield* Effect.scoped(FakeCognito.make)
      const cognito = yield* connect(env)
      assert.strictEqual((yield* Effect.flip(login(cognito)))._tag, "CognitoFailure")
    }),
  )

  it.live("takes the profile from the id token, unsigned and without a secret hash", () =>
    Effect.gen(function* () {
      const { cognito, answers, requests, access, tokens } = yield* setup
      answers.InitiateAuth = json(200, tokens({ email: USER.email }))
      const session = yield* login(cognito)
      assert.strictEqual(session.accessToken, access)
      assert.strictEqual(session.refreshToken, "refresh")
      assert.strictEqual(session.profile.userId, "s1")
      assert.strictEqual(session.profile.email, USER.email)
      const sent = requests.find(({ operation }) => operation === "InitiateAuth")
      assert.notProperty(sent?.headers, "authorization")
      assert.deepStrictEqual(JSON.parse(sent?.body ?? ""), {
        AuthFlow: "USER_PASSWORD_AUTH",
        ClientId: CLIENT,
        AuthParameters: { USERNAME: USER.email, PASSWORD: "secret" },
      })
    }),
  )

  it.live("adds the secret hash when the client has a secret", () =>
    Effect.gen(function* () {
      const { env, requests } = yield* FakeCognito.make
      const cognito = yield* connect({ ...env, COGNITO_CLIENT_SECRET: "hush" })
      yield* Effect.flip(login(cognito))
      const body = requests.find(({ operation }) => operation === "InitiateAuth")?.body
      const expected = createHmac("sha256", "hush").update(`${USER.email}${CLIENT}`).digest("base64")
      assert.include(body, `"SECRET_HASH":${JSON.stringify(expected)}`)
    }),
  )

  it.live("asks for the profile when the id token has no e-mail, and takes the user name at last", () =>
    Effect.gen(function* () {
      const { cognito, answers, tokens } = yield* setup
      answers.InitiateAuth = json(200, tokens({}))
      const sub = { Name: "sub", Value: "s1" }
      answers.GetUser = json(200, { Username: "ada", UserAttributes: [sub, { Name: "email", Value: "a@b" }] })
      assert.strictEqual((yield* login(cognito)).profile.email, "a@b")
      answers.GetUser = json(200, { Username: "ada", UserAttributes: [sub] })
      assert.strictEqual((yield* login(cognito)).profile.email, "ada")
    }),
  )

  it.live("is a CognitoFailure when the issued id token is refused or its keys are unavailable", () =>
    Effect.gen(function* () {
      const { cognito, answers, tokens, env } = yield* setup
      answers.InitiateAuth = json(200, tokens({ email: USER.email, aud: "other" }))
      assert.strictEqual((yield* Effect.flip(login(cognito)))._tag, "CognitoFailure")
      answers.InitiateAuth = json(200, tokens({ email: USER.email }))
      answers.keys = json(500, {})
      const second = yield* connect(env)
      const error = yield* Effect.flip(login(second))
      assert.strictEqual(error._tag, "CognitoFailure")
      assert.include(
        inspect(error),
        `The key set at ${env.COGNITO_ISSUER}/.well-known/jwks.json is unavailable`,
      )
    }),
  )
})

describe("profile", () => {
  const OUTCOMES: ReadonlyArray<readonly [string, Answer, string]> = [
    [
      "NotAuthorizedException",
      refusal("NotAuthorizedException", "Access Token has been revoked"),
      "TokenRejected",
    ],
    ["UserNotFoundException", refusal("UserNotFoundException"), "TokenRejected"],
    ["TooManyRequestsException", refusal("TooManyRequestsException"), "CognitoFailure"],
    ["ResourceNotFoundException", refusal("ResourceNotFoundException"), "CognitoFailure"],
    ["a user without sub", json(200, { Username: "ada", UserAttributes: [] }), "CognitoFailure"],
    ["a lost connection", (request) => void request.socket.destroy(), "CognitoFailure"],
  ]
  for (const [title, answer, outcome] of OUTCOMES) {
    it.live(`is a ${outcome} on ${title}`, () =>
      Effect.gen(function* () {
        const { cognito, answers, access } = yield* setup
        answers.GetUser = answer
        const error = yield* Effect.flip(cognito.profile(access))
        assert.strictEqual(error._tag, outcome)
      }),
    )
  }
})

describe("a token without the scope for GetUser", () => {
  it.effect("is logged once a minute with the scope, by no other word", () =>
    Effect.gen(function* () {
      const { cognito, answers, access } = yield* setup
      const lines: Array<string> = []
      const logger = Logger.map(Logger.formatJson, (line) => void lines.push(line))
      const ask = cognito
        .profile(access)
        .pipe(Effect.flip, Effect.provideService(Logger.CurrentLoggers, new Set([logger])))
      answers.GetUser = refusal("NotAuthorizedException", "Access Token has been revoked")
      assert.strictEqual((yield* ask)._tag, "TokenRejected")
      assert.isEmpty(lines)
      answers.GetUser = refusal("NotAuthorizedException", "Access Token does not have required scopes")
      for (const expected of [1, 1, 2]) {
        if (expected === 2) yield* TestClock.adjust("1 minute")
        assert.strictEqual((yield* ask)._tag, "TokenRejected")
        assert.strictEqual(lines.length, expected)
      }
      assert.include(lines[0], "aws.cognito.signin.user.admin")
      assert.notInclude(lines.join(), access)
    }),
  )
})

describe("configuration", () => {
  const good = { COGNITO_USER_POOL_ID: POOL, COGNITO_CLIENT_ID: CLIENT }
  const BAD: ReadonlyArray<readonly [string, string, Readonly<Record<string, string>>]> = [
    ["no pool", "COGNITO_USER_POOL_ID", { COGNITO_CLIENT_ID: CLIENT }],
    ["a pool without region", "COGNITO_USER_POOL_ID", { ...good, COGNITO_USER_POOL_ID: "Pool" }],
    ["no client", "COGNITO_CLIENT_ID", { COGNITO_USER_POOL_ID: POOL }],
    ["a key address that is none", "COGNITO_JWKS_URI", { ...good, COGNITO_JWKS_URI: "ftp://127.0.0.1/keys" }],
  ]
  for (const [title, variable, env] of BAD) {
    it.effect(`with ${title} fails and names the variable`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Layer.build(withEnv(env)))
        assert.include(error.message, variable)
      }),
    )
  }
})
