import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import { CognitoFailure } from "../../../../src/services/Cognito/Cognito.ts"
import { Sql, SqlFailure } from "../../../../src/services/Sql/Sql.ts"
import { SqlUpkeep } from "../../../../src/services/Sql/SqlUpkeep.ts"
import {
  api,
  ask,
  bearer,
  cognitoWith,
  Engine,
  increment,
  login,
  logout,
  postJson,
  refresh,
  renew,
  score,
  sqlWith,
} from "./fixtures.ts"

const LOGOUT = "/users/auth/logout"
const OPTIONS = { timeout: "30 seconds", excludeTestServices: true } as const

/** A sign-in of which neither token is of any use. */
const isOver = Effect.fnUntraced(function* (accessToken: string, refreshToken: string) {
  const before = yield* score
  assert.strictEqual((yield* increment(accessToken)).status, 401)
  assert.strictEqual(yield* score, before)
  assert.strictEqual((yield* ask("/users/me/history", { headers: bearer(accessToken) })).status, 401)
  assert.strictEqual((yield* ask("/scores/me", { headers: bearer(accessToken) })).status, 401)
  const refused = yield* refresh(refreshToken)
  assert.strictEqual(refused.status, 401)
  assert.notInclude(refused.body, "accessToken")
})

layer(Engine.layer, OPTIONS)("POST /users/auth/logout", (it) => {
  it.layer(api())("with a local identity provider", (it) => {
    it.effect("a logout ends both tokens, and every access token of that sign-in", () =>
      Effect.gen(function* () {
        const session = yield* login
        const renewed = yield* renew(session.refreshToken)
        const other = yield* login
        assert.strictEqual((yield* increment(renewed)).status, 200)
        const before = yield* score

        const answer = yield* logout(session.accessToken, session.refreshToken)
        assert.strictEqual(answer.status, 204)
        assert.strictEqual(answer.body, "")

        for (const token of [session.accessToken, renewed]) {
          const refused = yield* increment(token)
          assert.strictEqual(refused.status, 401)
          assert.strictEqual(refused.headers["www-authenticate"], 'Bearer realm="scoreboard"')
          assert.strictEqual((yield* ask("/users/me/history", { headers: bearer(token) })).status, 401)
        }
        assert.strictEqual((yield* refresh(session.refreshToken)).status, 401)
        assert.strictEqual(yield* score, before)
        assert.strictEqual((yield* increment(other.accessToken)).status, 200)
        assert.strictEqual((yield* refresh(other.refreshToken)).status, 200)
      }),
    )

    it.effect("a logout may be repeated, also with another access token of the sign-in", () =>
      Effect.gen(function* () {
        const { accessToken, refreshToken } = yield* login
        const renewed = yield* renew(refreshToken)
        for (const token of [accessToken, accessToken, renewed, accessToken]) {
          assert.strictEqual((yield* logout(token, refreshToken)).status, 204)
        }
      }),
    )

    it.effect("every one of several logouts at once is 204", () =>
      Effect.gen(function* () {
        for (let n = 0; n < 5; n++) {
          const { accessToken, refreshToken } = yield* login
          const answers = yield* Effect.all(
            Array.from({ length: 4 }, () => logout(accessToken, refreshToken)),
            { concurrency: "unbounded" },
          )
          assert.deepStrictEqual(
            answers.map(({ status }) => status),
            [204, 204, 204, 204],
          )
          yield* isOver(accessToken, refreshToken)
        }
      }),
    )

    it.effect("a logout with an expired refresh token is 204, also the second time", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const { accessToken, refreshToken } = yield* login
        yield* sql`update local_sessions set expires = now()`
        for (let n = 0; n < 2; n++) {
          assert.strictEqual((yield* logout(accessToken, refreshToken)).status, 204)
        }
        assert.strictEqual((yield* increment(accessToken)).status, 401)
      }),
    )

    it.effect("a logout with what is no refresh token is 400, and ends the sign-in for good", () =>
      Effect.gen(function* () {
        for (const other of ["unknown", "☃", " ", "x".repeat(10_000)]) {
          const { accessToken, refreshToken } = yield* login
          const answer = yield* logout(accessToken, other)
          assert.strictEqual(answer.status, 400)
          assert.include(answer.body, "urn:scoreboard:foreign-refresh-token")
          yield* isOver(accessToken, refreshToken)
        }
      }),
    )

    it.effect("a logout with the refresh token of another sign-in is 400, and ends only the caller's", () =>
      Effect.gen(function* () {
        const own = yield* login
        const other = yield* login
        assert.strictEqual((yield* logout(own.accessToken, other.refreshToken)).status, 400)
        yield* isOver(own.accessToken, own.refreshToken)
        assert.strictEqual((yield* increment(other.accessToken)).status, 200)
        assert.strictEqual((yield* refresh(other.refreshToken)).status, 200)
        assert.strictEqual((yield* logout(own.accessToken, other.refreshToken)).status, 400)
        assert.strictEqual((yield* refresh(other.refreshToken)).status, 200)
      }),
    )

    it.effect("a logout without a refresh token is 400 or 415, and ends the sign-in for good", () =>
      Effect.gen(function* () {
        for (const [status, options] of [
          [400, postJson({})],
          [400, postJson({ refreshToken: "" })],
          [400, postJson({ refreshToken: 1 })],
          [400, postJson("{")],
          [400, { method: "POST" }],
          [415, { ...postJson("x"), headers: { "content-type": "text/plain" } }],
        ] as const) {
          const { accessToken, refreshToken } = yield* login
          const headers = { ...options.headers, ...bearer(accessToken) }
          assert.strictEqual((yield* ask(LOGOUT, { ...options, headers })).status, status)
          yield* isOver(accessToken, refreshToken)
        }
      }),
    )

    it.effect("a logout without a valid access token is 401 and ends nothing", () =>
      Effect.gen(function* () {
        const { accessToken, refreshToken } = yield* login
        assert.strictEqual((yield* ask(LOGOUT, postJson({ refreshToken }))).status, 401)
        assert.strictEqual((yield* logout(`${accessToken}x`, refreshToken)).status, 401)
        assert.strictEqual((yield* refresh(refreshToken)).status, 200)
        assert.strictEqual((yield* increment(accessToken)).status, 200)
      }),
    )

    it.effect(
      "a revocation is kept as long as any token of the sign-in can hold, then forgotten in steps",
      () =>
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          const service = yield* Sql
          const { pruneRevoked } = yield* SqlUpkeep
          yield* sql`delete from revoked_tokens`
          const { accessToken, refreshToken } = yield* login
          yield* logout(accessToken, refreshToken)
          const [kept] = yield* sql<{ readonly hours: number }>`
          select extract(epoch from expires - now()) / 3600 as hours from revoked_tokens`
          // Thirty days of the refresh token, and a day of its last access token.
          assert.approximately(Number(kept?.hours), 31 * 24, 0.1)

          const nowSeconds = Math.floor(Date.now() / 1000)
          for (const n of [1, 2, 3]) {
            yield* service.revoke({ tokenId: `old ${n}`, expiresAtSeconds: nowSeconds - 3600 })
          }
          yield* service.revoke({ tokenId: "just over", expiresAtSeconds: nowSeconds - 60 })
          assert.deepStrictEqual(
            [yield* pruneRevoked(2), yield* pruneRevoked(2), yield* pruneRevoked(2)],
            [2, 1, 0],
          )
          assert.strictEqual((yield* increment(accessToken)).status, 401)
        }),
    )

    it.effect("a revocation never ends earlier than it was said before", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const service = yield* Sql
        for (const expiresAtSeconds of [4_000_000_000, 3_000_000_000]) {
          yield* service.revoke({ tokenId: "twice", expiresAtSeconds })
        }
        const rows = yield* sql`
          select extract(epoch from expires)::float8 as expires from revoked_tokens where jti = 'twice'`
        assert.deepStrictEqual(rows, [{ expires: 4_000_000_000 }])
      }),
    )
  })

  const revokeFailure = new CognitoFailure({ operation: "revoke", cause: new Error("away") })
  it.effect(
    "a logout while the identity provider is away is 503 and ends the access token all the same",
    () =>
      Effect.gen(function* () {
        const { accessToken, refreshToken } = yield* login
        const answer = yield* logout(accessToken, refreshToken)
        assert.strictEqual(answer.status, 503)
        assert.isDefined(answer.headers["retry-after"])
        assert.strictEqual((yield* increment(accessToken)).status, 401)
        // The provider would still exchange the refresh token.
        assert.strictEqual((yield* refresh(refreshToken)).status, 401)
        // The retry is let in, though its token is revoked.
        assert.strictEqual((yield* logout(accessToken, refreshToken)).status, 503)
      }).pipe(Effect.provide(api({ replacing: cognitoWith({ revoke: () => Effect.fail(revokeFailure) }) }))),
  )

  const storeFailure = new SqlFailure({ operation: "revoke", cause: new Error("away") })
  it.effect("a logout that could not be stored is 503 and ends the refresh token all the same", () =>
    Effect.gen(function* () {
      const { accessToken, refreshToken } = yield* login
      assert.strictEqual((yield* logout(accessToken, refreshToken)).status, 503)
      assert.strictEqual((yield* ask(LOGOUT, postJson({}, bearer(accessToken)))).status, 503)
      assert.strictEqual((yield* refresh(refreshToken)).status, 401)
      assert.strictEqual((yield* increment(accessToken)).status, 200)
    }).pipe(Effect.provide(api({ replacing: sqlWith(() => ({ revoke: () => Effect.fail(storeFailure) })) }))),
  )

  it.effect("a logout is remembered as long as REFRESH_TOKEN_LIFETIME says, and a day", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { accessToken, refreshToken } = yield* login
      yield* logout(accessToken, refreshToken)
      const [kept] = yield* sql<{ readonly hours: number }>`
        select extract(epoch from expires - now()) / 3600 as hours from revoked_tokens`
      assert.approximately(Number(kept?.hours), 91 * 24, 0.1)
    }).pipe(Effect.provide(api({ env: { REFRESH_TOKEN_LIFETIME: "90 days" } }))),
  )

  const unread = new SqlFailure({ operation: "refuses", cause: new Error("away") })
  it.effect("a refresh whose sign-in cannot be checked is 503 and hands nothing out", () =>
    Effect.gen(function* () {
      const answer = yield* refresh((yield* login).refreshToken)
      assert.strictEqual(answer.status, 503)
      assert.notInclude(answer.body, "accessToken")
    }).pipe(Effect.provide(api({ replacing: sqlWith(() => ({ refuses: () => Effect.fail(unread) })) }))),
  )
})
