import { assert, vi } from "@effect/vitest"
import type { Fetcher } from "aws-jwt-verify/https"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { makeTokens } from "../../../../src/services/Cognito/CognitoTokens.ts"
import { makeIssuerKey } from "../../../support/engines/TokenIssuer.ts"

export const ISSUER = "https://issuer.example/pool"
export const JWKS_URI = `${ISSUER}/keys`
export const CLIENT = "client"

/** The key that the issuer publishes. */
export const key = makeIssuerKey()

/** A key that it does not. */
export const other = makeIssuerKey()

/** Lets a time pass for Effect's clock and for the timers of the library, which knows only Node's. */
export const advance = Effect.fnUntraced(function* (duration: Duration.Input) {
  yield* TestClock.adjust(duration)
  yield* Effect.promise(() => vi.advanceTimersByTimeAsync(Duration.toMillis(duration)))
})

const fakeTimers = Effect.acquireRelease(
  Effect.sync(() => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })),
  () => Effect.sync(() => vi.useRealTimers()),
)

/**
 * A verifier with an issuer in the test's hands. The TestClock starts at the real time, because the library checks
 * `exp` and `nbf` against the wall clock.
 */
export const setupWith = Effect.fnUntraced(function* (allowUnverifiedEmail: boolean) {
  yield* fakeTimers
  yield* TestClock.setTime(Math.floor(Date.now() / 1000) * 1000)
  const source = {
    keySet: { keys: [key.jwk] } as unknown,
    unavailable: false,
    delayMillis: 0,
    fetches: 0,
  }
  const answer = async () => {
    const { delayMillis } = source
    await new Promise((resolve) =>
      delayMillis > 0 ? setTimeout(resolve, delayMillis) : setImmediate(resolve),
    )
    if (source.unavailable) throw new Error("The issuer is unavailable")
    return new TextEncoder().encode(JSON.stringify(source.keySet)).buffer
  }
  const fetcher: Fetcher = {
    fetch: () => {
      source.fetches += 1
      return answer()
    },
  }
  const tokens = yield* makeTokens({
    issuer: ISSUER,
    clientId: CLIENT,
    jwksUri: JWKS_URI,
    fetcher,
    allowUnverifiedEmail,
  })
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

/** The same, where an address counts only if no token says that it is not verified. */
export const setup = setupWith(false)

export type Setup = Effect.Success<typeof setup>
