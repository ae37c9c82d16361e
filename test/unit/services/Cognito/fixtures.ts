import { assert } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { makeTokens } from "../../../../src/services/Cognito/CognitoTokens.ts"
import { makeIssuerKey } from "../../../support/engines/TokenIssuer.ts"

export const ISSUER = "https://issuer.example/pool"
export const CLIENT = "client"
/** The key that the issuer publishes. */
export const key = makeIssuerKey()

/** A key that it does not. */
export const other = makeIssuerKey()

/**
 * A verifier with an issuer in the test's hands. The TestClock starts at the real time, because the library checks
 * `exp` and `nbf` against the wall clock.
 */
export const setup = Effect.gen(function* () {
  yield* TestClock.setTime(Math.floor(Date.now() / 1000) * 1000)
  const source = {
    keySet: { keys: [key.jwk] } as unknown,
    away: false,
    delay: Duration.zero as Duration.Input,
    fetches: 0,
  }
  const keys = Effect.suspend(() => {
    source.fetches += 1
    return Effect.delay(
      Effect.suspend(() =>
        source.away ? Effect.fail(new Error("The issuer is away")) : Effect.succeed(source.keySet),
      ),
      source.delay,
    )
  })
  const tokens = yield* makeTokens({ issuer: ISSUER, clientId: CLIENT, keys })
  const nowSeconds = (yield* Clock.currentTimeMillis) / 1000
  const claims = {
    sub: "b1946ac9",
    iss: ISSUER,
    client_id: CLIENT,
    token_use: "access",
    jti: "591785b7",
    iat: nowSeconds,
    exp: nowSeconds + 3600,
  }
  const reason = (token: string) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(tokens.verifyAccess(token))
      assert.strictEqual(error._tag, "TokenRejected")
      return error._tag === "TokenRejected" ? error.reason : ""
    })
  return { tokens, source, claims, nowSeconds, reason }
})

export type Setup = Effect.Success<typeof setup>
