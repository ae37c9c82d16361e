import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import { Cognito, CognitoFailure } from "../../../../src/services/Cognito/Cognito.ts"
import {
  api,
  ask,
  cognitoWith,
  Engine,
  increment,
  login,
  postJson,
  refresh,
  renew,
  score,
} from "./fixtures.ts"

const REFRESH = "/users/auth/refresh"
const OPTIONS = { timeout: "30 seconds", excludeTestServices: true } as const

layer(Engine.layer, OPTIONS)("POST /users/auth/refresh", (it) => {
  it.layer(api())("with a local identity provider", (it) => {
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
  })

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
      yield* sql`update local_sessions set expires = now() - interval '2 days'`
      yield* login
      const [left] = yield* sql`select count(*)::int as sessions from local_sessions`
      assert.deepStrictEqual(left, { sessions: 1 })
    }).pipe(Effect.provide(api())),
  )
})
