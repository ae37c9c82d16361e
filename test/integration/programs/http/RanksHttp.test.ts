import * as PgClient from "@effect/sql-pg/PgClient"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, layer } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { RankPage } from "../../../../src/domain/Ranks.ts"
import { ApiProcess } from "../../../../src/programs/process/ApiProcess.ts"
import { ApiServer } from "../../../../src/programs/http/ApiServer.ts"
import { Cognito } from "../../../../src/services/Cognito/Cognito.ts"
import * as CognitoLocal from "../../../../src/services/Cognito/CognitoLocal.ts"
import { Listener } from "../../../../src/services/Listener/Listener.ts"
import { ProcessMetrics } from "../../../../src/services/ProcessMetrics.ts"
import { Receipts } from "../../../../src/services/Receipts.ts"
import * as RedisMemory from "../../../../src/services/Redis/RedisMemory.ts"
import { SocketHub } from "../../../../src/services/SocketHub/SocketHub.ts"
import * as SqlPostgres from "../../../../src/services/Sql/SqlPostgres.ts"
import * as SqsMemory from "../../../../src/services/Sqs/SqsMemory.ts"
import * as Postgres from "../../../support/engines/Postgres.ts"

const HOST = "127.0.0.1"
const users = ["ada", "grace", "linus"].map((name) => ({ email: `${name}@example.com`, password: "test" }))

/** The whole API on a free port: real PostgreSQL, the rest in memory. */
const Running = Layer.unwrap(
  Effect.gen(function* () {
    const { url } = yield* Postgres.make()
    const dataDir = yield* Effect.acquireRelease(
      Effect.promise(() => mkdtemp(join(tmpdir(), "scoreboard-ranks-"))),
      (path) => Effect.promise(() => rm(path, { recursive: true, force: true })),
    )
    const services = Layer.mergeAll(
      CognitoLocal.layer({ dataDir, users }),
      RedisMemory.layer,
      Receipts.layer,
      SqsMemory.layer,
      SocketHub.layer,
      Listener.layer,
      ProcessMetrics.layer,
      NodeHttpServer.layerHttpServices,
    ).pipe(
      Layer.provideMerge(Layer.merge(SqlPostgres.layerFrom(url), PgClient.layer({ url, maxConnections: 2 }))),
    )
    return ApiProcess(HOST).pipe(
      Layer.provideMerge(services),
      Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ PORT: "0" }))),
    )
  }),
)

const fetched = (path: string, init: RequestInit = {}) =>
  Effect.flatMap(ApiServer, ({ host, port }) =>
    Effect.promise(() => fetch(`http://${host}:${port}${path}`, init)),
  )
const body = (response: Response) => Effect.promise((): Promise<unknown> => response.json())
const decodePage = Schema.decodeUnknownEffect(RankPage)

layer(Running, { timeout: "60 seconds", excludeTestServices: true })("Ranks over HTTP", (it) => {
  it.effect("follow the callers' own increments, and fit the pages", () =>
    Effect.gen(function* () {
      const cognito = yield* Cognito
      const headers = new Map<string, { readonly authorization: string }>()
      for (const [n, { email, password }] of users.entries()) {
        const { accessToken } = yield* cognito.login(email, Redacted.make(password))
        const sent = { authorization: `Bearer ${accessToken}` }
        headers.set(email, sent)
        for (let times = 0; times < Math.min(n + 1, 2); times++) {
          const answer = yield* fetched("/scores/increment", { method: "POST", headers: sent })
          assert.strictEqual(answer.status, 200)
        }
      }
      const first = [
        { rank: 1, email: "grace@example.com", score: 2 },
        { rank: 1, email: "linus@example.com", score: 2 },
      ]
      const last = { rank: 3, email: "ada@example.com", score: 1 }

      const me = yield* fetched("/scores/me", { headers: headers.get("linus@example.com") ?? {} })
      assert.strictEqual(me.status, 200)
      assert.strictEqual(me.headers.get("cache-control"), "no-store")
      assert.deepStrictEqual(yield* body(me), {
        rank: 1,
        score: 2,
        players: 3,
        percentile: 100 / 3,
        above: first.slice(0, 1),
        below: [last],
      })

      const page = yield* Effect.flatMap(fetched("/scores/page?limit=2"), body).pipe(
        Effect.flatMap(decodePage),
      )
      assert.deepStrictEqual(page.scores, first)
      const rest = yield* fetched(`/scores/page?limit=2&after=${page.next}`)
      assert.deepStrictEqual(yield* body(rest), { scores: [last], next: null })
    }),
  )

  it.effect("are refused without a token, and a page for a cursor or a size that it never gave", () =>
    Effect.gen(function* () {
      const me = yield* fetched("/scores/me")
      assert.strictEqual(me.status, 401)
      assert.isNotNull(me.headers.get("www-authenticate"))
      for (const query of [
        "after=x",
        "after=1.2",
        "after=1.9999999999999999999.1",
        "limit=0",
        "limit=101",
        "limit=x",
      ]) {
        const answer = yield* fetched(`/scores/page?${query}`)
        assert.strictEqual(answer.status, 400, query)
        assert.include(answer.headers.get("content-type") ?? "", "application/problem+json")
      }
      const post = yield* fetched("/scores/me", { method: "POST" })
      assert.strictEqual(post.status, 405)
      assert.strictEqual(post.headers.get("allow"), "GET, HEAD")
    }),
  )
})
