import { createHmac } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { UserId } from "../../../../src/domain/Score.ts"
import { mint, mintWith } from "../../../support/engines/TokenIssuer.ts"
import { advance, CLIENT, ISSUER, key, other, type Setup, setup, setupWith } from "./fixtures.ts"

/** One row per way to be wrong: what the token is, made of the good claims, and the reason that is given. */
const WRONG_CLAIMS: ReadonlyArray<readonly [string, (good: Setup["claims"]) => object, string]> = [
  ["an expired token", (good) => ({ ...good, exp: good.iat - 1 }), "JwtExpiredError"],
  ["a token in the second of its expiry", (good) => ({ ...good, exp: good.iat }), "JwtExpiredError"],
  ["a token that holds later", (good) => ({ ...good, nbf: good.iat + 600 }), "JwtNotBeforeError"],
  [
    "a token issued more than a minute ahead",
    (good) => ({ ...good, iat: good.iat + 61 }),
    "IssuedInTheFuture",
  ],
  ["a token without exp", (good) => ({ ...good, exp: undefined }), "MissingExpiry"],
  ["an exp that is text", (good) => ({ ...good, exp: String(good.exp) }), "JwtParseError"],
  ["an exp of null", (good) => ({ ...good, exp: null }), "JwtParseError"],
  ["an iat that is text", (good) => ({ ...good, iat: String(good.iat) }), "JwtParseError"],
  ["an exp before all dates", (good) => ({ ...good, exp: -1e300 }), "Malformed"],
  ["an exp after the year 9999", (good) => ({ ...good, exp: 253_402_300_800 }), "ClaimOutOfRange"],
  ["a sub with U+0000", (good) => ({ ...good, sub: "a\0" }), "ClaimOutOfRange"],
  ["a sub with half a surrogate pair", (good) => ({ ...good, sub: "\ud83d" }), "ClaimOutOfRange"],
  ["a sub of 256 characters", (good) => ({ ...good, sub: "a".repeat(256) }), "ClaimOutOfRange"],
  ["a jti with U+0000", (good) => ({ ...good, jti: "\0" }), "ClaimOutOfRange"],
  [
    "an origin_jti of 256 characters",
    (good) => ({ ...good, origin_jti: "a".repeat(256) }),
    "ClaimOutOfRange",
  ],
  ["a token without sub", (good) => ({ ...good, sub: undefined }), "MissingSubject"],
  ["an empty sub", (good) => ({ ...good, sub: "" }), "MissingSubject"],
  ["a sub that is a number", (good) => ({ ...good, sub: 7 }), "JwtParseError"],
  ["a jti that is a number", (good) => ({ ...good, jti: 7 }), "JwtParseError"],
  ["another issuer", (good) => ({ ...good, iss: `${ISSUER}/` }), "JwtInvalidIssuerError"],
  ["no issuer", (good) => ({ ...good, iss: undefined }), "JwtInvalidIssuerError"],
  ["another client", (good) => ({ ...good, client_id: "x" }), "CognitoJwtInvalidClientIdError"],
  ["no client", (good) => ({ ...good, client_id: undefined }), "CognitoJwtInvalidClientIdError"],
  [
    "an audience in the place of a client",
    (good) => ({ ...good, client_id: undefined, aud: CLIENT }),
    "CognitoJwtInvalidClientIdError",
  ],
  ["an id token", (good) => ({ ...good, token_use: "id", aud: CLIENT }), "CognitoJwtInvalidTokenUseError"],
  ["no token use", (good) => ({ ...good, token_use: undefined }), "CognitoJwtInvalidTokenUseError"],
  ["claims that are a list", (good) => [good], "JwtParseError"],
]

/** The same for the envelope. */
const WRONG_ENVELOPES: ReadonlyArray<readonly [string, (good: Setup["claims"]) => string, string]> = [
  [
    "alg none",
    (good) => mintWith({ alg: "none", kid: key.kid }, good, () => Buffer.from("x")),
    "JwtInvalidSignatureAlgorithmError",
  ],
  [
    "alg none without a signature",
    (good) => mintWith({ alg: "none", kid: key.kid }, good, () => Buffer.alloc(0)),
    "JwtParseError",
  ],
  [
    "HS256 by the public key",
    (good) =>
      mintWith({ alg: "HS256", kid: key.kid }, good, (input) =>
        createHmac("sha256", key.publicKey.export({ format: "pem", type: "spki" }))
          .update(input)
          .digest(),
      ),
    "JwtInvalidSignatureAlgorithmError",
  ],
  ["another RSA algorithm", (good) => mint(key, good, { alg: "RS512" }), "JwtInvalidSignatureAlgorithmError"],
  ["no alg", (good) => mint(key, good, { alg: undefined }), "JwtInvalidSignatureAlgorithmError"],
  ["a crit header", (good) => mint(key, good, { crit: ["exp"] }), "CriticalHeader"],
  ["an unknown key", (good) => mint(other, good), "UnknownKey"],
  ["no kid", (good) => mint(key, good, { kid: undefined }), "JwtWithoutValidKidError"],
  ["a kid that is a list", (good) => mint(key, good, { kid: [key.kid] }), "JwtParseError"],
  [
    "a known kid on another key's signature",
    (good) => mint(other, good, { kid: key.kid }),
    "JwtInvalidSignatureError",
  ],
  [
    "a key that the token brings along",
    (good) => mint(other, good, { kid: key.kid, jwk: other.jwk, jku: "https://evil.example/keys" }),
    "JwtInvalidSignatureError",
  ],
  [
    "a signature of zeros",
    (good) => mintWith({ alg: "RS256", kid: key.kid }, good, () => Buffer.alloc(256)),
    "JwtInvalidSignatureError",
  ],
  ["doubled dots", (good) => mint(key, good).replaceAll(".", ".."), "JwtParseError"],
  ["a fourth part", (good) => `${mint(key, good)}.e30`, "JwtParseError"],
  ["a line break", (good) => `${mint(key, good)}\n`, "JwtParseError"],
  ["more than 8 KiB", (good) => mint(key, { ...good, note: "x".repeat(8192) }), "Oversize"],
  [
    "lists nested deeper than a stack",
    () => `${Buffer.from("[".repeat(2900) + "]".repeat(2900)).toString("base64url")}.e30.e30`,
    "JwtParseError",
  ],
]

describe("verify", () => {
  it.effect("accepts a good token and gives its claims", () =>
    Effect.gen(function* () {
      const { tokens, claims } = yield* setup
      assert.deepStrictEqual(yield* tokens.verifyAccess(mint(key, claims)), {
        userId: UserId.make("b1946ac9"),
        tokenId: "591785b7",
        isTokenIdShared: false,
        signedInAtSeconds: claims.iat,
        email: undefined,
        isEmailUnverified: false,
        expiresAtSeconds: claims.exp,
      })
    }),
  )

  it.effect("gives a signed e-mail, and accepts an issuer whose clock is a minute ahead", () =>
    Effect.gen(function* () {
      const { tokens, claims } = yield* setup
      const token = mint(key, { ...claims, jti: undefined, email: "a@example.com", iat: claims.iat + 60 })
      const verified = yield* tokens.verifyAccess(token)
      assert.strictEqual(verified.email, "a@example.com")
      assert.isUndefined(verified.tokenId)
    }),
  )

  it.effect("names the sign-in that a token was refreshed from, if it says so", () =>
    Effect.gen(function* () {
      const { tokens, claims } = yield* setup
      const verified = yield* tokens.verifyAccess(mint(key, { ...claims, origin_jti: "first" }))
      assert.strictEqual(verified.tokenId, "first")
      assert.isTrue(verified.isTokenIdShared)
      const odd = yield* tokens.verifyAccess(mint(key, { ...claims, origin_jti: 7 }))
      assert.strictEqual(odd.tokenId, claims.jti)
    }),
  )

  it.effect("says when the player signed in, whatever the token's own age", () =>
    Effect.gen(function* () {
      const { tokens, claims } = yield* setup
      const refreshed = yield* tokens.verifyAccess(mint(key, { ...claims, auth_time: claims.iat - 9_000 }))
      assert.strictEqual(refreshed.signedInAtSeconds, claims.iat - 9_000)
      const timeless = yield* tokens.verifyAccess(mint(key, { ...claims, iat: undefined, auth_time: "soon" }))
      assert.strictEqual(timeless.signedInAtSeconds, 0)
    }),
  )

  for (const [verified, email] of [
    [false, undefined],
    ["false", undefined],
    [true, "a@example.com"],
    [undefined, "a@example.com"],
    [null, "a@example.com"],
  ] as const) {
    it.effect(`with email_verified ${JSON.stringify(verified)} gives ${email ?? "no e-mail"}`, () =>
      Effect.gen(function* () {
        const { tokens, claims } = yield* setup
        const id = { ...claims, aud: CLIENT, client_id: undefined, token_use: "id" }
        const said = { email: "a@example.com", email_verified: verified }
        for (const got of [
          yield* tokens.verifyAccess(mint(key, { ...claims, ...said })),
          yield* tokens.verifyId(mint(key, { ...id, ...said })),
        ]) {
          assert.strictEqual(got.email, email)
          assert.strictEqual(got.isEmailUnverified, email === undefined)
        }
      }),
    )
  }

  it.effect("where unverified addresses are allowed, gives them", () =>
    Effect.gen(function* () {
      const { tokens, claims } = yield* setupWith(true)
      const token = mint(key, { ...claims, email: "a@example.com", email_verified: false })
      assert.strictEqual((yield* tokens.verifyAccess(token)).email, "a@example.com")
    }),
  )

  for (const [title, wrong, expected] of WRONG_CLAIMS) {
    it.effect(`rejects ${title}`, () =>
      Effect.gen(function* () {
        const { claims, reason } = yield* setup
        assert.strictEqual(yield* reason(mint(key, wrong(claims))), expected)
      }),
    )
  }

  for (const [title, wrong, expected] of WRONG_ENVELOPES) {
    it.effect(`rejects ${title}`, () =>
      Effect.gen(function* () {
        const { claims, reason } = yield* setup
        assert.strictEqual(yield* reason(wrong(claims)), expected)
      }),
    )
  }

  it.effect("rejects an access token in the place of an id token", () =>
    Effect.gen(function* () {
      const { tokens, claims } = yield* setup
      const id = { ...claims, token_use: "id", aud: CLIENT, client_id: undefined }
      yield* tokens.verifyId(mint(key, id))
      assert.strictEqual((yield* Effect.flip(tokens.verifyId(mint(key, claims))))._tag, "TokenRejected")
      const foreign = { ...id, aud: "x" }
      assert.strictEqual((yield* Effect.flip(tokens.verifyId(mint(key, foreign))))._tag, "TokenRejected")
    }),
  )

  it.effect("accepts a remembered token until it expires, not longer", () =>
    Effect.gen(function* () {
      const { tokens, claims, reason } = yield* setup
      const token = mint(key, claims)
      yield* tokens.verifyAccess(token)
      yield* advance("3599999 millis")
      yield* tokens.verifyAccess(token)
      yield* advance("1 millis")
      assert.strictEqual(yield* reason(token), "JwtExpiredError")
      assert.strictEqual(yield* reason(token), "JwtExpiredError")
    }),
  )

  it.effect("remembers nothing of a rejected token", () =>
    Effect.gen(function* () {
      const { tokens, claims, source } = yield* setup
      const token = mint(other, claims)
      yield* Effect.flip(tokens.verifyAccess(token))
      source.keySet = { keys: [other.jwk] }
      yield* advance("10 seconds")
      yield* tokens.verifyAccess(token)
    }),
  )
})
