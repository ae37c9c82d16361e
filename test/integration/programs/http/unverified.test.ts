import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import { Sql } from "../../../../src/services/Sql/Sql.ts"
import { json, refusal } from "../../../support/engines/FakeCognito.ts"
import { ask, Engine, increment, Log, logout, postJson, refresh } from "./fixtures.ts"
import { apiOnPool, Provider } from "./providerFixtures.ts"

const OPTIONS = { timeout: "30 seconds", excludeTestServices: true } as const

const signIn = ask("/users/auth/login", postJson({ email: "whoever", password: "x" }))

/** What `GetUser` says about the user `sub`. */
const user = (sub: string, attributes: Readonly<Record<string, string>>) =>
  json(200, {
    Username: sub,
    UserAttributes: Object.entries({ sub, ...attributes }).map(([Name, Value]) => ({ Name, Value })),
  })

/** The addresses that are stored, and those on the board. */
const addresses = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const stored = yield* sql<{ readonly email: string }>`select email from users order by email`
  const { scores } = yield* (yield* Sql).top(10)
  return { stored: stored.map(({ email }) => email), shown: scores.map(({ email }) => email) }
})

const NONE = { stored: [], shown: [] }

layer(Engine.layer, OPTIONS)("An e-mail address that is not verified", (it) => {
  it.effect(
    "of an id token is not stored, and an increment is 403 with the reason, until it is verified",
    () =>
      Effect.gen(function* () {
        const { answers, tokens, access } = yield* Provider
        answers.InitiateAuth = json(200, tokens({ email: "victim@example.com", email_verified: false }))
        answers.GetUser = user("s1", { email: "victim@example.com", email_verified: "false" })
        assert.strictEqual((yield* signIn).status, 200)
        for (let n = 0; n < 2; n++) {
          const refused = yield* increment(access)
          assert.strictEqual(refused.status, 403)
          assert.include(refused.body, '"type":"urn:scoreboard:unverified-email"')
          assert.include(refused.body, "not verified")
        }
        assert.deepStrictEqual(yield* addresses, NONE)

        answers.InitiateAuth = json(200, tokens({ email: "victim@example.com", email_verified: true }))
        assert.strictEqual((yield* signIn).status, 200)
        assert.strictEqual((yield* increment(access)).status, 200)
        assert.deepStrictEqual((yield* addresses).shown, ["victim@example.com"])
      }).pipe(Effect.provide(apiOnPool())),
  )

  it.effect("does not replace one that was stored, and a verified one does", () =>
    Effect.gen(function* () {
      const { answers, tokens, access } = yield* Provider
      for (const [claims, stored] of [
        [{ email: "first@example.com", email_verified: true }, "first@example.com"],
        [{ email: "victim@example.com", email_verified: false }, "first@example.com"],
        [{ email: "second@example.com", email_verified: true }, "second@example.com"],
        // A pool that says nothing.
        [{ email: "third@example.com" }, "third@example.com"],
      ] as const) {
        answers.InitiateAuth = json(200, tokens(claims))
        assert.strictEqual((yield* signIn).status, 200)
        assert.strictEqual((yield* increment(access)).status, 200)
        assert.deepStrictEqual(yield* addresses, { stored: [stored], shown: [stored] })
      }
    }).pipe(Effect.provide(apiOnPool())),
  )

  it.effect("of an access token counts as none", () =>
    Effect.gen(function* () {
      const { answers, accessWith } = yield* Provider
      answers.GetUser = user("s1", { email: "victim@example.com", email_verified: "false" })
      const token = accessWith({ email: "victim@example.com", email_verified: false })
      assert.strictEqual((yield* increment(token)).status, 403)
      assert.deepStrictEqual(yield* addresses, NONE)
    }).pipe(Effect.provide(apiOnPool())),
  )

  it.effect("counts where EMAIL_UNVERIFIED=allow", () =>
    Effect.gen(function* () {
      const { answers, tokens, access, accessWith } = yield* Provider
      answers.InitiateAuth = json(200, tokens({ email: "a@example.com", email_verified: false }))
      answers.GetUser = user("s2", { email: "b@example.com", email_verified: "false" })
      assert.strictEqual((yield* signIn).status, 200)
      assert.strictEqual((yield* increment(access)).status, 200)
      assert.strictEqual((yield* increment(accessWith({ sub: "s2" }))).status, 200)
      assert.deepStrictEqual((yield* addresses).stored, ["a@example.com", "b@example.com"])
    }).pipe(Effect.provide(apiOnPool({ EMAIL_UNVERIFIED: "allow" }))),
  )

  it.effect("is not asked for with a token without the scope, which the log names once", () =>
    Effect.gen(function* () {
      const { answers, accessWith } = yield* Provider
      const log = yield* Log
      answers.GetUser = refusal("NotAuthorizedException", "Access Token does not have required scopes")
      for (let n = 0; n < 3; n++) {
        assert.strictEqual((yield* increment(accessWith({ scope: "openid" }))).status, 401)
      }
      const lines = log.filter((line) => line.includes("aws.cognito.signin.user.admin"))
      assert.strictEqual(lines.length, 1)
      assert.notInclude(lines[0], "s1")
    }).pipe(Effect.provide(apiOnPool())),
  )
})

layer(Engine.layer, OPTIONS)("A sign-in at a pool", (it) => {
  it.effect("that was logged out is refused a refresh that the pool grants, and only that sign-in is", () =>
    Effect.gen(function* () {
      const { answers, accessWith } = yield* Provider
      const access = accessWith({ origin_jti: "o1", email: "a@example.com" })
      const exchanged = (origin: string) =>
        json(200, {
          AuthenticationResult: {
            AccessToken: accessWith({ origin_jti: origin, jti: "new", email: "a@example.com" }),
          },
        })
      answers.InitiateAuth = refusal("NotAuthorizedException", "Invalid Refresh Token")
      assert.strictEqual((yield* logout(access, "anything")).status, 400)
      answers.InitiateAuth = exchanged("o1")
      const refused = yield* refresh("the.real.one")
      assert.strictEqual(refused.status, 401)
      assert.notInclude(refused.body, "accessToken")
      assert.strictEqual((yield* logout(access, "the.real.one")).status, 204)
      answers.InitiateAuth = refusal("NotAuthorizedException", "Refresh Token has been revoked")
      assert.strictEqual((yield* logout(access, "the.real.one")).status, 204)

      answers.InitiateAuth = exchanged("o2")
      assert.strictEqual((yield* logout(access, "of.another.sign-in")).status, 400)
      assert.strictEqual((yield* refresh("of.another.sign-in")).status, 200)
      answers.InitiateAuth = refusal("NotAuthorizedException", "Refresh Token has expired")
      const last = accessWith({ origin_jti: "o3", email: "a@example.com" })
      for (let n = 0; n < 2; n++) assert.strictEqual((yield* logout(last, "an.old.one")).status, 204)
      assert.strictEqual((yield* increment(last)).status, 401)
    }).pipe(Effect.provide(apiOnPool())),
  )

  it.effect(
    "gets 503 at a refresh, and not the 401 that ends it, while no token of the pool is accepted",
    () =>
      Effect.gen(function* () {
        const { answers, accessWith } = yield* Provider
        const log = yield* Log
        const later = Math.floor(Date.now() / 1000) + 600
        for (const [odd, reason] of [
          // The clock of this process is wrong, or its configuration.
          [{ iat: later }, "IssuedInTheFuture"],
          [{ client_id: "another" }, "CognitoJwtInvalidClientIdError"],
        ] as const) {
          answers.InitiateAuth = json(200, { AuthenticationResult: { AccessToken: accessWith(odd) } })
          assert.strictEqual((yield* refresh("any")).status, 503, reason)
          assert.isTrue(
            log.some((line) => line.includes(reason)),
            reason,
          )
        }
      }).pipe(Effect.provide(apiOnPool())),
  )

  it.effect(
    "from before the end of all of the player's is refused, refreshed or not; a later one is not",
    () =>
      Effect.gen(function* () {
        const { answers, accessWith } = yield* Provider
        const sql = yield* SqlClient.SqlClient
        const nowSeconds = Math.floor(Date.now() / 1000)
        const signedIn = (ageSeconds: number) =>
          accessWith({
            email: "a@example.com",
            origin_jti: `sign-in of ${ageSeconds}`,
            auth_time: nowSeconds - ageSeconds,
          })
        assert.strictEqual((yield* increment(signedIn(60))).status, 200)
        yield* sql`update users set tokens_from = to_timestamp(${nowSeconds - 30})`
        for (const [age, status] of [
          [60, 401],
          [31, 401],
          [30, 200],
          [0, 200],
        ] as const) {
          assert.strictEqual((yield* increment(signedIn(age))).status, status, `${age} s`)
          answers.InitiateAuth = json(200, { AuthenticationResult: { AccessToken: signedIn(age) } })
          assert.strictEqual((yield* refresh("any")).status, status, `${age} s`)
        }
      }).pipe(Effect.provide(apiOnPool())),
  )
})
