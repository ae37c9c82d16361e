import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import type * as Context from "effect/Context"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpApiTest from "effect/http-api/HttpApiTest"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import type { RankPage, Standing } from "../../../../src/domain/Ranks.ts"
import { Authorization, HandledApi } from "../../../../src/domain/ScoreboardApi.ts"
import { UserId } from "../../../../src/domain/Score.ts"
import { AuthorizationLayer } from "../../../../src/programs/http/Authorization.ts"
import { BoundedReads } from "../../../../src/programs/http/BoundedReads.ts"
import { Limits } from "../../../../src/programs/http/Limits.ts"
import { RanksHandlers } from "../../../../src/programs/http/RanksHandlers.ts"
import { Cognito, TokenRejected } from "../../../../src/services/Cognito/Cognito.ts"
import * as RedisMemory from "../../../../src/services/Redis/RedisMemory.ts"
import { Sql, SqlFailure } from "../../../../src/services/Sql/Sql.ts"

const standing: Standing = {
  rank: 2,
  place: 3,
  epoch: "e1",
  version: 7,
  score: 3,
  players: 4,
  percentile: 50,
  above: [{ rank: 1, email: "first@example.com", score: 4 }],
  below: [{ rank: 2, email: "equal@example.com", score: 3 }],
}
const rankPage: RankPage = { scores: standing.above, next: "4.17.1" }

/** Knows the token "good", of user "ada". */
const cognito = Layer.mock(Cognito)({
  verify: (accessToken) =>
    accessToken === "good"
      ? Effect.succeed({
          userId: UserId.make("ada"),
          tokenId: "jti",
          email: undefined,
          expiresAtSeconds: 1,
        })
      : Effect.fail(new TokenRejected({ reason: "signature" })),
})

const limits = Limits.layer.pipe(Layer.provide(RedisMemory.layer))

/** A client of the two routes on a database that can do only what the test says. */
const client = (
  sql: Partial<Context.Service.Shape<typeof Sql>>,
  token = "good",
  env: Readonly<Record<string, string>> = {},
) =>
  HttpApiTest.groups(HandledApi, ["ranks"]).pipe(
    Effect.provide(
      RanksHandlers.pipe(
        Layer.provide([Layer.mock(Sql)(sql), BoundedReads.layer, limits]),
        Layer.provideMerge(AuthorizationLayer.pipe(Layer.provide([cognito, limits]))),
        Layer.provideMerge(HttpApiMiddleware.layerProblemDetails({ includeDetails: true })),
        Layer.provideMerge(
          HttpApiMiddleware.layerClient(Authorization, ({ request, next }) =>
            next(HttpClientRequest.bearerToken(request, token)),
          ),
        ),
        Layer.provideMerge(NodeHttpServer.layerHttpServices),
        Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(env))),
      ),
    ),
  )

const away = (operation: "standing" | "page") =>
  Effect.fail(new SqlFailure({ operation, cause: new Error("away") }))

describe("GET /scores/me", () => {
  it.effect("gives the caller's standing, by the user and the token id of the token, for no cache", () =>
    Effect.gen(function* () {
      const asked: Array<unknown> = []
      const { ranks } = yield* client({
        standing: (request) =>
          Effect.sync(() => {
            asked.push(request)
            return { ...standing, revoked: false }
          }),
      })
      const [answer, response] = yield* ranks.me({ responseMode: "decoded-and-response" })
      assert.deepStrictEqual(answer, standing)
      assert.deepStrictEqual(yield* response.json, standing)
      assert.strictEqual(response.headers["cache-control"], "no-store")
      assert.deepStrictEqual(asked, [{ userId: "ada", tokenId: "jti" }])
    }),
  )

  it.effect(
    "refuses a token that is not valid without asking the database, and one that was logged out",
    () =>
      Effect.gen(function* () {
        const invalid = yield* client({}, "bad")
        assert.strictEqual((yield* Effect.flip(invalid.ranks.me()))._tag, "Unauthorized")
        const loggedOut = yield* client({ standing: () => Effect.succeed({ ...standing, revoked: true }) })
        assert.strictEqual((yield* Effect.flip(loggedOut.ranks.me()))._tag, "Unauthorized")
      }),
  )

  it.effect("is unavailable while PostgreSQL is away", () =>
    Effect.gen(function* () {
      const { ranks } = yield* client({ standing: () => away("standing") })
      assert.strictEqual((yield* Effect.flip(ranks.me()))._tag, "Unavailable")
    }),
  )
})

describe("GET /scores/page", () => {
  it.effect("gives a page of 100 from the top, to anyone, for a cache of a second", () =>
    Effect.gen(function* () {
      const asked: Array<unknown> = []
      const { ranks } = yield* client(
        {
          page: (request) =>
            Effect.sync(() => {
              asked.push(request)
              return rankPage
            }),
        },
        "bad",
      )
      const [answer, response] = yield* ranks.page({ query: {}, responseMode: "decoded-and-response" })
      assert.deepStrictEqual(answer, rankPage)
      assert.strictEqual(response.headers["cache-control"], "public, max-age=1")
      assert.isUndefined(response.headers["age"])
      yield* ranks.page({ query: { after: "4.17.1", limit: 7 } })
      assert.deepStrictEqual(asked, [
        { after: undefined, limit: 100 },
        { after: "4.17.1", limit: 7 },
      ])
    }),
  )

  it.effect("keeps an error out of caches", () =>
    Effect.gen(function* () {
      const { ranks } = yield* client({ page: () => away("page") })
      const response = yield* ranks.page({ query: {}, responseMode: "response-only" })
      assert.strictEqual(response.status, 503)
      assert.isUndefined(response.headers["cache-control"])
    }),
  )
})

describe("GET /scores/page for many", () => {
  it.effect("reads a page once for all who ask while it is read, and again only after a second", () =>
    Effect.gen(function* () {
      let reads = 0
      const { ranks } = yield* client({
        page: () =>
          Effect.sleep("100 millis").pipe(Effect.map(() => ({ ...rankPage, next: `${++reads}.1.0` }))),
      })
      const ask = ranks.page({ query: {}, responseMode: "decoded-and-response" })
      const asking = yield* Effect.forkChild(
        Effect.all(
          Array.from({ length: 50 }, () => ask),
          { concurrency: "unbounded" },
        ),
      )
      yield* Effect.yieldNow
      yield* TestClock.adjust("100 millis")
      for (const [page, { headers }] of yield* Fiber.join(asking)) {
        assert.strictEqual(page.next, "1.1.0")
        assert.isUndefined(headers["age"])
      }
      // A second from the beginning of the read: what it shows is older than its end.
      yield* TestClock.adjust("899 millis")
      const [remembered, response] = yield* ask
      assert.strictEqual(remembered.next, "1.1.0")
      assert.strictEqual(response.headers["age"], "1")
      yield* TestClock.adjust("1 millis")
      const again = yield* Effect.forkChild(ask)
      yield* Effect.yieldNow
      yield* TestClock.adjust("100 millis")
      assert.strictEqual((yield* Fiber.join(again))[0].next, "2.1.0")
    }),
  )

  it.effect("refuses who would wait too long, and reads as many at once as there are connections", () =>
    Effect.gen(function* () {
      const running = { now: 0, most: 0 }
      const { ranks } = yield* client({
        page: () =>
          Effect.sync(() => {
            running.most = Math.max(running.most, ++running.now)
          }).pipe(
            Effect.andThen(Effect.sleep("100 millis")),
            Effect.ensuring(Effect.sync(() => running.now--)),
            Effect.as(rankPage),
          ),
      })
      const asking = yield* Effect.forkChild(
        Effect.forEach(
          Array.from({ length: 10 }, (_, n) => n + 1),
          (limit) => Effect.exit(ranks.page({ query: { limit }, responseMode: "response-only" })),
          { concurrency: "unbounded" },
        ),
      )
      yield* Effect.yieldNow
      yield* Effect.forEach(Array.from({ length: 10 }), () => TestClock.adjust("50 millis"))
      const answers = (yield* Fiber.join(asking)).map((exit) =>
        exit._tag === "Success" ? exit.value : undefined,
      )
      assert.deepStrictEqual(
        answers.map((answer) => answer?.status),
        [200, 200, 200, 200, 200, 200, 503, 503, 503, 503],
      )
      assert.strictEqual(running.most, 2)
      const [refused] = answers.filter((answer) => answer?.status === 503)
      assert.include(["1", "2", "3"], refused?.headers["retry-after"])
    }),
  )
})

describe("BOARD_EMAIL=masked", () => {
  const env = { BOARD_EMAIL: "masked" }

  it.effect("masks the neighbours of a standing", () =>
    Effect.gen(function* () {
      const standingOf = () => Effect.succeed({ ...standing, revoked: false })
      const { ranks } = yield* client({ standing: standingOf }, "good", env)
      const masked = yield* ranks.me()
      assert.deepStrictEqual(
        [...masked.above, ...masked.below].map(({ email }) => email),
        ["f…t@example.com", "e…l@example.com"],
      )
    }),
  )

  it.effect("masks every page", () =>
    Effect.gen(function* () {
      const { ranks } = yield* client({ page: () => Effect.succeed(rankPage) }, "good", env)
      const { scores, next } = yield* ranks.page({ query: {} })
      assert.deepStrictEqual(
        scores.map(({ email }) => email),
        ["f…t@example.com"],
      )
      assert.strictEqual(next, rankPage.next)
    }),
  )
})
