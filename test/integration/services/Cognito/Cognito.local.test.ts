import { mkdtemp, readdir, rm, stat } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import { Cognito } from "../../../../src/services/Cognito/Cognito.ts"
import * as CognitoLocal from "../../../../src/services/Cognito/CognitoLocal.ts"
import { loadLocalKey } from "../../../../src/services/Cognito/CognitoLocalKey.ts"
import { cognitoContract, CognitoFixture } from "../../../contracts/Cognito.ts"
import * as Postgres from "../../../support/engines/Postgres.ts"

const user = { email: "ada@example.com", password: "correct horse" }

const decodeClaims = Schema.decodeEffect(Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown)))

class Engine extends Context.Service<
  Engine,
  { readonly postgres: Postgres.PostgresEngine; readonly dataDir: string }
>()("test/LocalIdentityEngine") {
  static readonly layer = Layer.effect(
    Engine,
    Effect.gen(function* () {
      const dataDir = yield* Effect.acquireRelease(
        Effect.promise(() => mkdtemp(join(tmpdir(), "scoreboard-identity-"))),
        (path) => Effect.promise(() => rm(path, { recursive: true, force: true })),
      )
      return { postgres: yield* Postgres.make(), dataDir }
    }),
  )
}

const provider = Layer.unwrap(
  Effect.map(Engine, ({ postgres, dataDir }) =>
    CognitoLocal.layer({ dataDir, users: [user] }).pipe(
      Layer.provideMerge(PgClient.layer({ url: postgres.url, maxConnections: 2 })),
    ),
  ),
)

const fixture = Layer.effect(
  CognitoFixture,
  Effect.gen(function* () {
    const cognito = yield* Cognito
    const { dataDir } = yield* Engine
    const idToken = Effect.gen(function* () {
      const session = yield* cognito.login(user.email, Redacted.make(user.password))
      const payload = Buffer.from(session.accessToken.split(".")[1] ?? "", "base64url").toString()
      const key = yield* loadLocalKey(dataDir)
      const { client_id, ...claims } = yield* decodeClaims(payload)
      return key.sign({ ...claims, aud: client_id, token_use: "id", email: user.email })
    })
    return { user, idToken: Effect.orDie(idToken) }
  }),
)

cognitoContract("local users", fixture.pipe(Layer.provideMerge(provider), Layer.provide(Engine.layer)))

layer(Engine.layer, { timeout: "30 seconds", excludeTestServices: true })("Local identity provider", (it) => {
  const login = (password = user.password) =>
    Effect.flatMap(Cognito, (cognito) => cognito.login(user.email, Redacted.make(password)))

  it.effect("lets only the owner read its key, and stores nothing else beside it", () =>
    Effect.gen(function* () {
      const { dataDir } = yield* Engine
      yield* Layer.build(provider)
      const files = yield* Effect.promise(() => readdir(dataDir))
      assert.deepStrictEqual(files, ["identity-key.pem"])
      const { mode } = yield* Effect.promise(() => stat(join(dataDir, "identity-key.pem")))
      assert.strictEqual(mode & 0o777, 0o600)
    }),
  )

  it.effect("accepts a token and a password of before its restart", () =>
    Effect.gen(function* () {
      const before = yield* login().pipe(Effect.provide(provider))
      yield* Effect.gen(function* () {
        const claims = yield* (yield* Cognito).verify(before.accessToken)
        assert.strictEqual(claims.userId, before.profile.userId)
        assert.deepStrictEqual((yield* login()).profile, before.profile)
      }).pipe(Effect.provide(provider))
    }),
  )

  it.effect("two first starts at once agree on one key", () =>
    Effect.gen(function* () {
      const dataDir = join((yield* Engine).dataDir, "first", "start")
      const keys = yield* Effect.all([loadLocalKey(dataDir), loadLocalKey(dataDir)], { concurrency: 2 })
      assert.deepStrictEqual(keys[0].keySet, keys[1].keySet)
    }),
  )

  it.effect("stores no password and no two equal hashes", () =>
    Effect.gen(function* () {
      const { dataDir, postgres } = yield* Engine
      const twins = [
        { email: "one@example.com", password: "the same" },
        { email: "two@example.com", password: "the same" },
      ]
      const seeded = CognitoLocal.layer({ dataDir, users: twins })
      const sql = yield* Layer.build(PgClient.layer({ url: postgres.url, maxConnections: 1 })).pipe(
        Effect.map(Context.get(SqlClient.SqlClient)),
      )
      yield* Layer.build(seeded).pipe(Effect.provideService(SqlClient.SqlClient, sql))
      const rows = yield* sql<{ readonly hash: string; readonly row: string }>`
        select encode(hash, 'hex') as hash, local_users::text as row
        from local_users where email in ${sql.in(twins.map(({ email }) => email))}`
      const hashes = new Set(rows.map(({ hash }) => hash))
      assert.strictEqual(hashes.size, twins.length)
      assert.notInclude(rows.map(({ row }) => row).join(), "the same")
    }),
  )

  it.effect("throttles logins beyond what it can hash, and accepts logins after them", () =>
    Effect.gen(function* () {
      const outcomes = yield* Effect.forEach(Array.from({ length: 60 }), () => Effect.flip(login("wrong")), {
        concurrency: "unbounded",
      })
      assert.strictEqual(outcomes[0]?._tag, "LoginRejected")
      assert.strictEqual(outcomes.at(-1)?._tag, "LoginThrottled")
      assert.strictEqual((yield* login()).profile.email, user.email)
    }).pipe(Effect.provide(provider)),
  )

  it.effect("fails a login, and none of its tokens, while PostgreSQL is unavailable", () =>
    Effect.gen(function* () {
      const { postgres } = yield* Engine
      const cognito = yield* Cognito
      const { accessToken } = yield* login()
      yield* postgres.stop
      const error = yield* Effect.flip(login())
      assert.strictEqual(error._tag, "CognitoFailure")
      assert.strictEqual((yield* Effect.flip(cognito.profile(accessToken)))._tag, "CognitoFailure")
      yield* cognito.verify(accessToken)
      yield* cognito.check
      yield* postgres.start
      yield* Effect.retry(login(), { times: 20 })
    }).pipe(Effect.provide(provider)),
  )
})
