import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import { json, refusal } from "../../../support/engines/FakeCognito.ts"
import { ask, bearer, Engine, increment, logout, postJson, refresh } from "./fixtures.ts"
import { apiOnPool, Provider } from "./providerFixtures.ts"

const OPTIONS = { timeout: "60 seconds", excludeTestServices: true } as const
const RUNS = { arbitrary: { runs: 40 } }

/** What a text can do to a database: U+0000, half of a pair, too long for an index, beyond a bigint, quotes. */
const Odd = Schema.Union([
  Schema.Literals([
    "",
    "\0",
    "a\0b",
    "\ud83d",
    "\udc00a",
    "😀".repeat(128),
    "a".repeat(255),
    "a".repeat(256),
    // Random enough that PostgreSQL cannot compress it into an index.
    Array.from({ length: 5_000 }, (_, n) => String.fromCodePoint(33 + ((n * n * 7919) % 90))).join(""),
    "a".repeat(10_000),
    "'; drop table users; --",
    "9223372036854775808",
    "99999999999999999999999999",
    "-1",
    "1e3",
    "NaN",
    "{a,b}",
    "\\",
  ]),
  Schema.String,
])

/** A claim of any type. */
const Claim = Schema.Union([
  Odd,
  Schema.Literals([0, -1, 1e300, -1e300, 2 ** 53, 1.5, true, false]),
  Schema.Null,
  Schema.Array(Schema.String),
])

/** Never 5xx, whatever was sent. */
const isAnswered = (answer: { readonly status: number; readonly body: string }) => {
  assert.isBelow(answer.status, 500, answer.body)
  assert.notStrictEqual(answer.status, 429, answer.body)
}

/** All routes that take an access token. */
const useAccess = Effect.fnUntraced(function* (token: string) {
  const headers = bearer(token)
  isAnswered(yield* increment(token))
  isAnswered(yield* ask("/users/me/history", { headers }))
  isAnswered(yield* ask("/scores/me", { headers }))
  isAnswered(yield* logout(token, "any"))
})

layer(Engine.layer, OPTIONS)("Claims and parameters", (it) => {
  it.layer(apiOnPool({ UNAUTHORIZED_RATE_LIMIT_ADDRESS: "0", LOGIN_RATE_LIMIT_ADDRESS: "0" }))(
    "on PostgreSQL",
    (it) => {
      it.effect("a signed token whose sub has U+0000 is 401, on every route", () =>
        Effect.gen(function* () {
          const { accessWith } = yield* Provider
          const token = accessWith({ sub: "a\0b", email: "a@example.com" })
          assert.strictEqual((yield* increment(token)).status, 401)
          for (const path of ["/users/me/history", "/scores/me"])
            assert.strictEqual((yield* ask(path, { headers: bearer(token) })).status, 401)
          assert.strictEqual((yield* logout(token, "any")).status, 401)
        }),
      )

      it.effect("two subs that UTF-8 would make the same are both refused, and nobody is stored", () =>
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          const { accessWith } = yield* Provider
          const before = yield* sql`select id from users order by id`
          for (const sub of ["\ud83d", "\udc00"])
            assert.strictEqual((yield* increment(accessWith({ sub, email: "a@example.com" }))).status, 401)
          assert.deepStrictEqual(yield* sql`select id from users order by id`, before)
        }),
      )

      it.effect.prop(
        "any sub, jti, origin_jti, auth_time, exp and email of a signed token is never 5xx",
        { sub: Claim, jti: Claim, origin: Claim, time: Claim, email: Claim },
        ({ sub, jti, origin, time, email }) =>
          Effect.gen(function* () {
            const { accessWith } = yield* Provider
            const good = { email: "a@example.com", origin_jti: "o1", jti: "j1" }
            // One claim at a time: of several, the first that is refused would hide the others.
            for (const odd of [
              { sub },
              { jti, origin_jti: undefined },
              { origin_jti: origin },
              { auth_time: time },
              { iat: time },
              { exp: time },
              { email, sub: "somebody new" },
              { email_verified: email },
            ])
              yield* useAccess(accessWith({ ...good, ...odd }))
          }),
        RUNS,
      )

      it.effect.prop(
        "any sub and email of an id token, or of the pool's user, is never 5xx at a sign-in and a refresh",
        { sub: Odd, email: Claim, name: Odd },
        ({ sub, email, name }) =>
          Effect.gen(function* () {
            const { answers, accessWith, tokens } = yield* Provider
            const signIn = ask("/users/auth/login", postJson({ email: "a@example.com", password: "x" }))
            answers.GetUser = json(200, {
              Username: "a",
              UserAttributes: [
                { Name: "sub", Value: "s1" },
                { Name: "email", Value: name },
              ],
            })
            for (const id of [{ sub }, { email }]) {
              answers.InitiateAuth = json(200, tokens(id))
              isAnswered(yield* signIn)
            }
            answers.InitiateAuth = json(200, tokens({ email: undefined }))
            isAnswered(yield* signIn)
            isAnswered(yield* increment(accessWith({ sub: "s1" })))
            answers.InitiateAuth = json(200, { AuthenticationResult: { AccessToken: accessWith({ sub }) } })
            isAnswered(yield* refresh("any"))
            isAnswered(yield* logout(accessWith({ origin_jti: "leaving" }), "any"))
          }),
        RUNS,
      )

      it.effect.prop(
        "any key, cursor, limit, address, password and refresh token is never 5xx",
        { odd: Odd },
        ({ odd }) =>
          Effect.gen(function* () {
            const { answers, accessWith } = yield* Provider
            answers.InitiateAuth = refusal("NotAuthorizedException")
            const token = accessWith({ email: "a@example.com", origin_jti: "parameters" })
            const headers = bearer(token)
            // A header cannot carry every text: what no client can send is left out.
            const sent = odd.replaceAll(/[^ -~]/g, "").slice(0, 8_000)
            isAnswered(yield* increment(token, { headers: { "idempotency-key": sent } }))
            const value = encodeURIComponent(odd.toWellFormed())
            for (const path of ["/users/me/history", "/scores/page"]) {
              for (const name of ["after", "limit"])
                isAnswered(yield* ask(`${path}?${name}=${value}`, { headers }))
              isAnswered(
                yield* ask(`${path}?after=${odd.replaceAll(/[^0-9.-]/g, "9").slice(0, 30)}`, { headers }),
              )
            }
            isAnswered(yield* ask("/users/auth/login", postJson({ email: odd, password: odd })))
            isAnswered(yield* refresh(odd))
            isAnswered(yield* logout(accessWith({ origin_jti: "leaving" }), odd))
          }),
        RUNS,
      )
    },
  )
})
