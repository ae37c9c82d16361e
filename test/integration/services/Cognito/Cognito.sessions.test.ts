import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { UserId } from "../../../../src/domain/Score.ts"
import { Cognito } from "../../../../src/services/Cognito/Cognito.ts"
import * as CognitoUserPool from "../../../../src/services/Cognito/CognitoUserPool.ts"
import * as FakeCognito from "../../../support/engines/FakeCognito.ts"
import { type Answer, CLIENT, json, mute, refusal } from "../../../support/engines/FakeCognito.ts"
import { timedRunning } from "../../../support/stalls.ts"

const SECRET = "hush"
const REFRESH = Redacted.make("a.refresh-token_of=Cognito")
const OWNER = { userId: UserId.make("s1"), tokenId: "o1", isTokenIdShared: true }

/** A provider in the test's hands, and the service for a client with or without a secret. */
const setup = Effect.fnUntraced(function* (
  client: "with a secret" | "without a secret" = "without a secret",
) {
  const provider = yield* FakeCognito.make
  const secret = client === "with a secret" ? { COGNITO_CLIENT_SECRET: SECRET } : {}
  const layer = CognitoUserPool.layer.pipe(
    Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ ...provider.env, ...secret }))),
  )
  const sent = (operation: string): unknown => {
    const bodies = provider.requests.filter((request) => request.operation === operation)
    assert.strictEqual(bodies.length, 1)
    return JSON.parse(bodies[0]?.body ?? "")
  }
  return { ...provider, sent, cognito: Context.get(yield* Layer.build(layer), Cognito) }
})

type Outcomes = ReadonlyArray<readonly [title: string, answer: Answer, outcome: string]>

describe("refresh", () => {
  const OUTCOMES: Outcomes = [
    ["a revoked token", refusal("NotAuthorizedException", "Refresh Token has been revoked"), "TokenRejected"],
    ["a disabled user", refusal("NotAuthorizedException", "User is disabled."), "TokenRejected"],
    ["a deleted user", refusal("UserNotFoundException"), "TokenRejected"],
    ["a token that rotation replaced", refusal("RefreshTokenReuseException"), "TokenRejected"],
    ["too many requests", refusal("TooManyRequestsException"), "LoginThrottled"],
    ["an unknown client", refusal("ResourceNotFoundException"), "CognitoFailure"],
    [
      "a flow that is not enabled",
      refusal("InvalidParameterException", "REFRESH_TOKEN_AUTH flow not enabled for this client"),
      "CognitoFailure",
    ],
    [
      "a wrong client secret",
      refusal("NotAuthorizedException", "Unable to verify secret hash for client client"),
      "CognitoFailure",
    ],
    ["an answer without a token", json(200, { AuthenticationResult: {} }), "CognitoFailure"],
    ["a lost connection", (request) => void request.socket.destroy(), "CognitoFailure"],
  ]
  for (const [title, answer, outcome] of OUTCOMES) {
    it.live(`is a ${outcome} on ${title}, asked once`, () =>
      Effect.gen(function* () {
        const { cognito, answers, sent } = yield* setup()
        answers.InitiateAuth = answer
        const error = yield* Effect.flip(cognito.refresh(REFRESH))
        assert.strictEqual(error._tag, outcome)
        sent("InitiateAuth")
      }),
    )
  }

  it.live("asks with the token alone when the client has no secret", () =>
    Effect.gen(function* () {
      const { cognito, answers, sent } = yield* setup()
      answers.InitiateAuth = json(200, { AuthenticationResult: { AccessToken: "new" } })
      assert.deepStrictEqual(yield* cognito.refresh(REFRESH), { accessToken: "new", refreshToken: undefined })
      assert.deepStrictEqual(sent("InitiateAuth"), {
        AuthFlow: "REFRESH_TOKEN_AUTH",
        ClientId: CLIENT,
        AuthParameters: { REFRESH_TOKEN: Redacted.value(REFRESH) },
      })
    }),
  )

  it.live("asks with the secret when the client has one, and passes on a token that rotated", () =>
    Effect.gen(function* () {
      const { cognito, answers, sent } = yield* setup("with a secret")
      answers.GetTokensFromRefreshToken = json(200, {
        AuthenticationResult: { AccessToken: "new", RefreshToken: "next" },
      })
      assert.deepStrictEqual(yield* cognito.refresh(REFRESH), { accessToken: "new", refreshToken: "next" })
      assert.deepStrictEqual(sent("GetTokensFromRefreshToken"), {
        ClientId: CLIENT,
        ClientSecret: SECRET,
        RefreshToken: Redacted.value(REFRESH),
      })
    }),
  )
})

describe("revoke", () => {
  const Revocation = Schema.fromJsonString(Schema.Struct({ Token: Schema.String }))

  /** A provider that exchanges any refresh token for this access token, and maybe a new refresh token. */
  const exchanging = (change: object, RefreshToken?: string) =>
    Effect.tap(setup(), ({ answers, accessWith }) =>
      Effect.sync(() => {
        answers.InitiateAuth = json(200, {
          AuthenticationResult: { AccessToken: accessWith(change), RefreshToken },
        })
      }),
    )
  const revoked = ({ requests }: { readonly requests: ReadonlyArray<{ operation: string; body: string }> }) =>
    requests
      .filter(({ operation }) => operation === "RevokeToken")
      .map(({ body }) => Schema.decodeUnknownSync(Revocation)(body).Token)

  const FAILURES: Outcomes = [
    ["revocation that is not enabled", refusal("UnsupportedOperationException"), "CognitoFailure"],
    ["too many requests", refusal("TooManyRequestsException"), "CognitoFailure"],
    ["a wrong client secret", refusal("NotAuthorizedException", "Invalid client secret"), "CognitoFailure"],
    ["a lost connection", (request) => void request.socket.destroy(), "CognitoFailure"],
  ]
  for (const [title, answer, outcome] of FAILURES) {
    it.live(`is a ${outcome} on ${title}`, () =>
      Effect.gen(function* () {
        const { cognito, answers } = yield* exchanging({ origin_jti: "o1" })
        answers.RevokeToken = answer
        assert.strictEqual((yield* Effect.flip(cognito.revoke(REFRESH, OWNER)))._tag, outcome)
        if (title.startsWith("revocation")) return
        answers.InitiateAuth = answer
        assert.strictEqual((yield* Effect.flip(cognito.revoke(REFRESH, OWNER)))._tag, outcome)
      }),
    )
  }

  for (const name of ["NotAuthorizedException", "UnsupportedTokenTypeException", "UserNotFoundException"]) {
    it.live(`is done on ${name}: there is no such token any more`, () =>
      Effect.gen(function* () {
        const { cognito, answers } = yield* exchanging({ origin_jti: "o1" })
        answers.RevokeToken = refusal(name)
        assert.strictEqual(yield* cognito.revoke(REFRESH, OWNER), "revoked")
      }),
    )
  }

  const OWNERS = [
    ["of the same sign-in is revoked", { origin_jti: "o1" }, "revoked"],
    ["of another sign-in of the player is left alone", { origin_jti: "o2" }, "foreign"],
    ["of another player is left alone", { sub: "s2", origin_jti: "o1" }, "foreign"],
    ["of a pool without origin_jti is revoked for the same player", {}, "revoked"],
    ["of a pool without origin_jti is left alone for another", { sub: "s2" }, "foreign"],
  ] as const
  for (const [title, change, outcome] of OWNERS) {
    it.live(`a token ${title}`, () =>
      Effect.gen(function* () {
        const provider = yield* exchanging(change)
        assert.strictEqual(yield* provider.cognito.revoke(REFRESH, OWNER), outcome)
        assert.deepStrictEqual(revoked(provider), outcome === "revoked" ? [Redacted.value(REFRESH)] : [])
      }),
    )
  }

  it.live(
    "is a CognitoFailure while what the exchange gave cannot be checked: the token may be the owner's",
    () =>
      Effect.gen(function* () {
        const provider = yield* exchanging({ origin_jti: "o1", client_id: "another" })
        assert.strictEqual(
          (yield* Effect.flip(provider.cognito.revoke(REFRESH, OWNER)))._tag,
          "CognitoFailure",
        )
        assert.isEmpty(revoked(provider))
      }),
  )

  const REFUSALS = [
    ["has expired", refusal("NotAuthorizedException", "Refresh Token has expired"), "spent"],
    ["was revoked", refusal("NotAuthorizedException", "Refresh Token has been revoked"), "spent"],
    ["was replaced", refusal("RefreshTokenReuseException"), "spent"],
    ["belongs to a disabled user", refusal("NotAuthorizedException", "User is disabled."), "spent"],
    ["is no refresh token", refusal("NotAuthorizedException", "Invalid Refresh Token"), "unknown"],
  ] as const
  for (const [title, answer, outcome] of REFUSALS) {
    it.live(`a token that ${title} is ${outcome}`, () =>
      Effect.gen(function* () {
        const provider = yield* setup()
        provider.answers.InitiateAuth = answer
        assert.strictEqual(yield* provider.cognito.revoke(REFRESH, OWNER), outcome)
        assert.isEmpty(revoked(provider))
      }),
    )
  }

  it.live("also revokes the token that a rotation gave instead", () =>
    Effect.gen(function* () {
      const provider = yield* exchanging({ origin_jti: "o1" }, "next")
      assert.strictEqual(yield* provider.cognito.revoke(REFRESH, OWNER), "revoked")
      assert.sameMembers(revoked(provider), [Redacted.value(REFRESH), "next"])
    }),
  )

  it.live("names the client, with its secret where it has one", () =>
    Effect.gen(function* () {
      const open = yield* exchanging({ origin_jti: "o1" })
      yield* open.cognito.revoke(REFRESH, OWNER)
      const named = { ClientId: CLIENT, Token: Redacted.value(REFRESH) }
      assert.deepStrictEqual(open.sent("RevokeToken"), named)
      const secret = yield* setup("with a secret")
      secret.answers.GetTokensFromRefreshToken = json(200, {
        AuthenticationResult: { AccessToken: secret.accessWith({ origin_jti: "o1" }) },
      })
      yield* secret.cognito.revoke(REFRESH, OWNER)
      assert.deepStrictEqual(secret.sent("RevokeToken"), { ...named, ClientSecret: SECRET })
    }),
  )

  it.live("is a CognitoFailure within three seconds when nothing is answered", () =>
    Effect.gen(function* () {
      const { cognito, answers } = yield* exchanging({ origin_jti: "o1" })
      answers.RevokeToken = mute
      const [elapsed, error] = yield* timedRunning(Effect.flip(cognito.revoke(REFRESH, OWNER)))
      assert.strictEqual(error._tag, "CognitoFailure")
      assert.isBelow(elapsed, 4_000)
    }),
  )
})
