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

    it.effect("a logout may be repeated, and says the same about an unknown refresh token", () =>
      Effect.gen(function* () {
        const { accessToken, refreshToken } = yield* login
        for (let n = 0; n < 2; n++) {
          assert.strictEqual((yield* logout(accessToken, refreshToken)).status, 204)
        }
        const second = yield* login
        assert.strictEqual((yield* logout(second.accessToken, "unknown")).status, 204)
        assert.strictEqual((yield* increment(second.accessToken)).status, 401)
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
          assert.approximately(Number(kept?.hours), 24, 0.1)

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
        // The retry is let in, though its token is revoked.
        assert.strictEqual((yield* logout(accessToken, refreshToken)).status, 503)
      }).pipe(Effect.provide(api({ replacing: cognitoWith({ revoke: () => Effect.fail(revokeFailure) }) }))),
  )

  const storeFailure = new SqlFailure({ operation: "revoke", cause: new Error("away") })
  it.effect("a logout that could not be stored is 503 and ends the refresh token all the same", () =>
    Effect.gen(function* () {
      const { accessToken, refreshToken } = yield* login
      assert.strictEqual((yield* logout(accessToken, refreshToken)).status, 503)
      assert.strictEqual((yield* refresh(refreshToken)).status, 401)
      assert.strictEqual((yield* increment(accessToken)).status, 200)
    }).pipe(Effect.provide(api({ replacing: sqlWith(() => ({ revoke: () => Effect.fail(storeFailure) })) }))),
  )
})
