import { assert, describe, it, vi } from "@effect/vitest"
import { KeyObjectCache } from "aws-jwt-verify/jwt-verifier"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { generateKeyPairSync } from "node:crypto"
import { inspect } from "node:util"
import { mint } from "../../../support/engines/TokenIssuer.ts"
import { advance, JWKS_URI, key, other, type Setup, setup } from "./fixtures.ts"

describe("keys", () => {
  const failure = (tokens: Setup["tokens"], token: string) =>
    Effect.map(Effect.flip(tokens.verifyAccess(token)), (error) => error._tag)

  /** Tokens that name keys which the issuer does not have. */
  const forge = (claims: Setup["claims"], count: number) =>
    Array.from({ length: count }, (_, index) => mint(other, claims, { kid: `k${index}` }))

  it.effect("are fetched once for many callers and many tokens", () =>
    Effect.gen(function* () {
      const { tokens, claims, source } = yield* setup
      yield* Effect.forEach(
        Array.from({ length: 50 }, (_, index) => mint(key, { ...claims, jti: String(index) })),
        tokens.verifyAccess,
        { concurrency: "unbounded" },
      )
      assert.strictEqual(source.fetches, 1)
    }),
  )

  it.effect("that are unavailable fail the check and every token, until they are back", () =>
    Effect.gen(function* () {
      const { tokens, claims, source } = yield* setup
      source.unavailable = true
      const token = mint(key, claims)
      assert.strictEqual(yield* failure(tokens, token), "CognitoFailure")
      assert.strictEqual((yield* Effect.flip(tokens.check))._tag, "CognitoFailure")
      assert.strictEqual(source.fetches, 1)
      source.unavailable = false
      yield* advance("999 millis")
      assert.strictEqual(yield* failure(tokens, token), "CognitoFailure")
      yield* advance("1 millis")
      yield* tokens.verifyAccess(token)
      yield* tokens.check
    }),
  )

  it.effect("that are unavailable are a failure that names their address, and no part of the token", () =>
    Effect.gen(function* () {
      const { tokens, claims, source } = yield* setup
      source.unavailable = true
      const token = mint(key, claims)
      for (const error of [
        yield* Effect.flip(tokens.verifyAccess(token)),
        yield* Effect.flip(tokens.check),
      ]) {
        const text = inspect(error)
        assert.include(text, `The key set at ${JWKS_URI} is unavailable: The issuer is unavailable`)
        for (const part of token.split(".")) assert.notInclude(text, part)
      }
    }),
  )

  it.effect(
    "that are unavailable after a first fetch still serve the known ones; an unknown one is no rejection",
    () =>
      Effect.gen(function* () {
        const { tokens, claims, source, reason } = yield* setup
        yield* tokens.verifyAccess(mint(key, claims))
        source.unavailable = true
        yield* advance("61 seconds")
        assert.strictEqual(yield* failure(tokens, mint(other, claims)), "CognitoFailure")
        assert.strictEqual((yield* Effect.flip(tokens.check))._tag, "CognitoFailure")
        yield* tokens.verifyAccess(mint(key, { ...claims, jti: "x" }))
        source.unavailable = false
        yield* advance("1 second")
        assert.strictEqual(yield* reason(mint(other, claims)), "UnknownKey")
      }),
  )

  it.effect(
    "that are unavailable are fetched at most once a second, however many unknown ones are named",
    () =>
      Effect.gen(function* () {
        const { tokens, claims, source } = yield* setup
        yield* tokens.check
        source.unavailable = true
        for (let second = 1; second <= 3; second++) {
          for (const token of forge(claims, 10))
            assert.strictEqual(yield* failure(tokens, token), "CognitoFailure")
          assert.strictEqual(source.fetches, 1 + second)
          yield* advance("1 second")
        }
      }),
  )

  it.effect("are neither fetched nor parsed for a token of another issuer", () =>
    Effect.gen(function* () {
      const parse = vi.spyOn(KeyObjectCache.prototype, "transformJwkToKeyObjectAsync")
      yield* Effect.addFinalizer(() => Effect.sync(() => parse.mockRestore()))
      const { claims, source, reason, tokens } = yield* setup
      yield* tokens.check
      for (const token of [key, other].map((signer) =>
        mint(signer, { ...claims, iss: "https://evil.example" }),
      ))
        assert.strictEqual(yield* reason(token), "JwtInvalidIssuerError")
      assert.strictEqual(source.fetches, 1)
      assert.strictEqual(parse.mock.calls.length, 0)
      yield* tokens.verifyAccess(mint(key, claims))
      assert.strictEqual(parse.mock.calls.length, 1)
    }),
  )

  it.effect("are fetched at most once in ten seconds, however many unknown ones are named", () =>
    Effect.gen(function* () {
      const { claims, source, reason, tokens } = yield* setup
      yield* tokens.check
      const forged = forge(claims, 30)
      const reasons = yield* Effect.forEach(forged, reason, { concurrency: "unbounded" })
      assert.deepStrictEqual(new Set(reasons), new Set(["UnknownKey"]))
      assert.strictEqual(source.fetches, 2)
      yield* advance("9999 millis")
      for (const token of forged) assert.strictEqual(yield* reason(token), "UnknownKey")
      assert.strictEqual(source.fetches, 2)
      yield* advance("1 millis")
      for (const token of forged) assert.strictEqual(yield* reason(token), "UnknownKey")
      assert.strictEqual(source.fetches, 3)
    }),
  )

  it.effect("that the issuer begins to use are accepted at once, the old ones beside them", () =>
    Effect.gen(function* () {
      const { tokens, claims, source } = yield* setup
      yield* tokens.verifyAccess(mint(key, claims))
      source.keySet = { keys: [key.jwk, other.jwk] }
      yield* tokens.verifyAccess(mint(other, claims))
      yield* tokens.verifyAccess(mint(key, { ...claims, jti: "x" }))
    }),
  )

  it.effect("that the issuer begins to use are accepted ten seconds after an unknown one was named", () =>
    Effect.gen(function* () {
      const { tokens, claims, source, reason } = yield* setup
      yield* tokens.verifyAccess(mint(key, claims))
      assert.strictEqual(yield* reason(mint(other, claims)), "UnknownKey")
      source.keySet = { keys: [key.jwk, other.jwk] }
      yield* advance("9999 millis")
      assert.strictEqual(yield* reason(mint(other, claims)), "UnknownKey")
      yield* advance("1 millis")
      yield* tokens.verifyAccess(mint(other, claims))
      yield* tokens.verifyAccess(mint(key, { ...claims, jti: "x" }))
    }),
  )

  it.effect(
    "that the issuer withdraws are refused after the next check that is a minute old, but for tokens seen before",
    () =>
      Effect.gen(function* () {
        const { tokens, claims, source, reason } = yield* setup
        yield* tokens.check
        source.keySet = { keys: [other.jwk] }
        yield* advance("59 seconds")
        yield* tokens.check
        yield* tokens.verifyAccess(mint(key, claims))
        yield* advance("1 second")
        yield* tokens.check
        assert.strictEqual(yield* reason(mint(key, { ...claims, jti: "x" })), "UnknownKey")
        yield* tokens.verifyAccess(mint(key, claims))
      }),
  )

  it.effect("that the issuer changes under their own name are used after the next check", () =>
    Effect.gen(function* () {
      const { tokens, claims, source, reason } = yield* setup
      yield* tokens.verifyAccess(mint(key, claims))
      source.keySet = { keys: [{ ...other.jwk, kid: key.kid }] }
      yield* advance("1 minute")
      yield* tokens.check
      yield* tokens.verifyAccess(mint(other, claims, { kid: key.kid }))
      assert.strictEqual(yield* reason(mint(key, { ...claims, jti: "x" })), "JwtInvalidSignatureError")
    }),
  )

  it.effect("are still fetched when the caller that began the fetch is gone", () =>
    Effect.gen(function* () {
      const { tokens, claims, source } = yield* setup
      yield* tokens.check
      source.delayMillis = 1_000
      for (let round = 0; round < 5; round++) {
        const caller = yield* Effect.forkChild(tokens.verifyAccess(mint(other, claims)))
        yield* advance("100 millis")
        yield* Fiber.interrupt(caller)
      }
      source.keySet = { keys: [key.jwk, other.jwk] }
      yield* advance("500 millis")
      yield* tokens.verifyAccess(mint(other, claims))
      assert.strictEqual(source.fetches, 2)
    }),
  )

  const short = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ format: "jwk" })
  const weak: ReadonlyArray<readonly [string, unknown]> = [
    ["no object", "keys"],
    ["no keys", { keys: [] }],
    ["only secret keys", { keys: [{ kty: "oct", kid: key.kid, k: "AAAA" }] }],
    ["only keys that are broken", { keys: [{ kty: "RSA", kid: key.kid, n: "", e: "" }] }],
    ["only keys that are short", { keys: [{ ...short, kid: key.kid }] }],
    ["only keys for encryption", { keys: [{ ...other.jwk, kid: key.kid, use: "enc" }] }],
    ["only keys for another algorithm", { keys: [{ ...other.jwk, kid: key.kid, alg: "RS512" }] }],
  ]
  for (const [title, keySet] of weak) {
    it.effect(`a key set of ${title} replaces no key and is a failure`, () =>
      Effect.gen(function* () {
        const { tokens, claims, source } = yield* setup
        yield* tokens.check
        source.keySet = keySet
        yield* advance("61 seconds")
        assert.strictEqual((yield* Effect.flip(tokens.check))._tag, "CognitoFailure")
        yield* tokens.verifyAccess(mint(key, claims))
      }),
    )
  }

  it.effect("of other kinds do not disturb their neighbours", () =>
    Effect.gen(function* () {
      const { tokens, claims, source, reason } = yield* setup
      const strange: Array<unknown> = [
        null,
        7,
        { kty: "EC", kid: "x" },
        { kty: "RSA", kid: "y", n: "", e: "" },
        { ...other.jwk, use: "enc" },
      ]
      source.keySet = { keys: [...strange, { ...key.jwk, alg: undefined, use: undefined }] }
      yield* tokens.verifyAccess(mint(key, claims))
      assert.strictEqual(yield* reason(mint(other, claims)), "UnknownKey")
      assert.strictEqual(
        yield* reason(mint(key, claims, { alg: "RS512" })),
        "JwtInvalidSignatureAlgorithmError",
      )
    }),
  )
})
