import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import { Cognito, CognitoFailure } from "../../../../src/services/Cognito/Cognito.ts"
import { Sql, SqlFailure } from "../../../../src/services/Sql/Sql.ts"
import { SqlUpkeep } from "../../../../src/services/Sql/SqlUpkeep.ts"
import {
  api,
  ask,
  bearer,
  cognitoWith,
  Engine,
  increment,
  players,
  postJson,
  sqlWith,
} from "./apiFixtures.ts"

const REFRESH = "/users/auth/refresh"
const LOGOUT = "/users/auth/logout"
const OPTIONS = { timeout: "30 seconds", excludeTestServices: true } as const

const Tokens = Schema.fromJsonString(
  Schema.Struct({ accessToken: Schema.String, refreshToken: Schema.String }),
)
const Renewed = Schema.fromJsonString(Schema.Struct({ accessToken: Schema.String }))

const login = Effect.map(ask("/users/auth/login", postJson(players(1)[0])), ({ body }) =>
  Schema.decodeUnknownSync(Tokens)(body),
)
const refresh = (refreshToken: string) => ask(REFRESH, postJson({ refreshToken }))
const renew = (refreshToken: string) =>
  Effect.map(
    refresh(refreshToken),
    ({ body }) => Schema.decodeUnknownSync(Renewed, { onExcessProperty: "error" })(body).accessToken,
  )
const logout = (accessToken: string, refreshToken: string) =>
  ask(LOGOUT, postJson({ refreshToken }, bearer(accessToken)))

const score = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly score: number }>`
    select coalesce(sum(score), 0)::int as score from scores`
  return row?.score
})

layer(Engine.layer, OPTIONS)("Sessions", (it) => {
  it.layer(api())("on their services", (it) => {
    it.effect("a refresh gives an access token that counts, and nothing that a cache keeps", () =>
      Effect.gen(function* () {
        const before = yield* score
        const { refreshToken } = yield* login
        const answer = yield* refresh(refreshToken)
        assert.strictEqual(answer.status, 200)
        assert.strictEqual(answer.headers["cache-control"], "no-store")
        assert.match(answer.body, /^\{"accessToken":"[\w.-]+"\}$/)
        assert.strictEqual((yield* increment(yield* renew(refreshToken))).status, 200)
        assert.strictEqual(yield* score, (before ?? 0) + 1)
      }),
    )

    it.effect("a refresh with anything else than a refresh token is 401, without one 400", () =>
      Effect.gen(function* () {
        const { accessToken, refreshToken } = yield* login
        for (const token of [accessToken, `${refreshToken}x`, refreshToken.slice(1), "☃", " "]) {
          const answer = yield* refresh(token)
          assert.strictEqual(answer.status, 401)
          assert.strictEqual(answer.headers["www-authenticate"], 'Bearer realm="scoreboard"')
          assert.notInclude(answer.body, token.trim() || "refreshToken:")
        }
        for (const body of [{}, { refreshToken: "" }, { refreshToken: 1 }, [], "x"]) {
          assert.strictEqual((yield* ask(REFRESH, postJson(body))).status, 400)
        }
      }),
    )

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

  it.effect("a refresh while the identity provider is away is 503, never 401", () =>
    Effect.gen(function* () {
      const answer = yield* refresh("any")
      assert.strictEqual(answer.status, 503)
      assert.isDefined(answer.headers["retry-after"])
    }).pipe(
      Effect.provide(
        api({
          replacing: cognitoWith({
            refresh: () =>
              Effect.fail(new CognitoFailure({ operation: "refresh", cause: new Error("away") })),
          }),
        }),
      ),
    ),
  )

  it.effect("keeps no refresh token as it is", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { refreshToken } = yield* login
      const rows = yield* sql`select local_sessions::text as row from local_sessions`
      assert.isNotEmpty(rows)
      assert.notInclude(JSON.stringify(rows), refreshToken)
      assert.notInclude(JSON.stringify(rows), Buffer.from(refreshToken).toString("hex"))
      yield* sql`update local_sessions set expires = now()`
      const expired = yield* Effect.flip((yield* Cognito).refresh(Redacted.make(refreshToken)))
      assert.strictEqual(expired._tag, "TokenRejected")
      yield* login
      const [left] = yield* sql`select count(*)::int as sessions from local_sessions`
      assert.deepStrictEqual(left, { sessions: 1 })
    }).pipe(Effect.provide(api())),
  )
})
