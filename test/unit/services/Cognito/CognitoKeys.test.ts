import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { mint } from "../../../support/engines/TokenIssuer.ts"
import { key, other, type Setup, setup } from "./fixtures.ts"

describe("keys", () => {
  const failure = (tokens: Setup["tokens"], token: string) =>
    Effect.map(Effect.flip(tokens.verifyAccess(token)), (error) => error._tag)

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

  it.effect("that are away fail the check and every token, until they are back", () =>
    Effect.gen(function* () {
      const { tokens, claims, source } = yield* setup
      source.away = true
      const token = mint(key, claims)
      assert.strictEqual(yield* failure(tokens, token), "CognitoFailure")
      assert.strictEqual((yield* Effect.flip(tokens.check))._tag, "CognitoFailure")
      assert.strictEqual(source.fetches, 1)
      source.away = false
      assert.strictEqual(yield* failure(tokens, token), "CognitoFailure")
      yield* TestClock.adjust("1 second")
      yield* tokens.verifyAccess(token)
      yield* tokens.check
    }),
  )

  it.effect(
    "that are away after a first fetch still serve the known ones; an unknown one is no rejection",
    () =>
      Effect.gen(function* () {
        const { tokens, claims, source, reason } = yield* setup
        yield* tokens.verifyAccess(mint(key, claims))
        source.away = true
        yield* TestClock.adjust("61 seconds")
        assert.strictEqual(yield* failure(tokens, mint(other, claims)), "CognitoFailure")
        assert.strictEqual((yield* Effect.flip(tokens.check))._tag, "CognitoFailure")
        yield* tokens.verifyAccess(mint(key, { ...claims, jti: "x" }))
        source.away = false
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* reason(mint(other, claims)), "UnknownKey")
      }),
  )

  it.effect("are fetched at most once in ten seconds, however many unknown ones are named", () =>
    Effect.gen(function* () {
      const { claims, source, reason, tokens } = yield* setup
      yield* tokens.check
      yield* TestClock.adjust("10 seconds")
      const forged = Array.from({ length: 30 }, (_, index) => mint(other, claims, { kid: `k${index}` }))
      const reasons = yield* Effect.forEach(forged, reason, { concurrency: "unbounded" })
      assert.deepStrictEqual(new Set(reasons), new Set(["UnknownKey"]))
      assert.strictEqual(source.fetches, 2)
    }),
  )

  it.effect("that the issuer begins to use are accepted after ten seconds, the old ones beside them", () =>
    Effect.gen(function* () {
      const { tokens, claims, source, reason } = yield* setup
      yield* tokens.verifyAccess(mint(key, claims))
      source.keySet = { keys: [key.jwk, other.jwk] }
      assert.strictEqual(yield* reason(mint(other, claims)), "UnknownKey")
      yield* TestClock.adjust("9999 millis")
      assert.strictEqual(yield* reason(mint(other, claims)), "UnknownKey")
      yield* TestClock.adjust("1 millis")
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
        yield* TestClock.adjust("59 seconds")
        yield* tokens.check
        yield* tokens.verifyAccess(mint(key, claims))
        yield* TestClock.adjust("1 second")
        yield* tokens.check
        assert.strictEqual(yield* reason(mint(key, { ...claims, jti: "x" })), "UnknownKey")
        yield* tokens.verifyAccess(mint(key, claims))
      }),
  )

  it.effect("go on being fetched when the caller that began it is gone", () =>
    Effect.gen(function* () {
      const { tokens, claims, source } = yield* setup
      yield* tokens.check
      yield* TestClock.adjust("10 seconds")
      source.delay = "1 second"
      for (let round = 0; round < 5; round++) {
        const caller = yield* Effect.forkChild(tokens.verifyAccess(mint(other, claims)))
        yield* TestClock.adjust("100 millis")
        yield* Fiber.interrupt(caller)
      }
      source.keySet = { keys: [key.jwk, other.jwk] }
      yield* TestClock.adjust("500 millis")
      yield* tokens.verifyAccess(mint(other, claims))
      assert.strictEqual(source.fetches, 2)
    }),
  )

  const weak: ReadonlyArray<readonly [string, unknown]> = [
    ["no object", "keys"],
    ["no keys", { keys: [] }],
    ["only secret keys", { keys: [{ kty: "oct", kid: key.kid, k: "AAAA" }] }],
    ["only keys that are broken", { keys: [{ kty: "RSA", kid: key.kid, n: "", e: "" }] }],
  ]
  for (const [title, keySet] of weak) {
    it.effect(`a key set of ${title} takes nothing away and is a failure`, () =>
      Effect.gen(function* () {
        const { tokens, claims, source } = yield* setup
        yield* tokens.check
        source.keySet = keySet
        yield* TestClock.adjust("61 seconds")
        assert.strictEqual((yield* Effect.flip(tokens.check))._tag, "CognitoFailure")
        yield* tokens.verifyAccess(mint(key, claims))
      }),
    )
  }

  it.effect("of other kinds do not disturb their neighbours", () =>
    Effect.gen(function* () {
      const { tokens, claims, source } = yield* setup
      const strange: Array<unknown> = [
        null,
        7,
        { kty: "EC", kid: "x" },
        { kty: "RSA", kid: "y", n: "", e: "" },
      ]
      source.keySet = { keys: [...strange, { ...key.jwk, alg: undefined, use: undefined }] }
      yield* tokens.verifyAccess(mint(key, claims))
    }),
  )
})
