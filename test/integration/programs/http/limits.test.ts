import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import { RedisFailure } from "../../../../src/services/Redis/Redis.ts"
import { until } from "../../../support/fixtures.ts"
import { api, ask, Engine, increment, Log, PASSWORD, postJson, redisWith, signIn } from "./fixtures.ts"

const LOGIN = "/users/auth/login"
const OPTIONS = { timeout: "30 seconds", excludeTestServices: true } as const

/** The sum of all scores, which has to be the number of events in the history. */
const checkedScore = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly score: number; readonly events: number }>`
select coalesce((select sum(score) from scores), 0)::int as score, (select count(*) from score_events)::int as events`
  assert.strictEqual(row?.score, row?.events)
  return row?.score
})

const attempt = (email: string, headers: Readonly<Record<string, string>> = {}) =>
  ask(LOGIN, postJson({ email, password: "wrong" }, headers))

/** One more a second: hardly more than what is allowed at once. */
const SLOW_REFILL = { INCREMENT_RATE_LIMIT: "1", INCREMENT_RATE_BURST: "20" }

layer(Engine.layer, OPTIONS)("Limits", (it) => {
  it.effect("of 50 increments at once every 200 is counted and every 429 is not", () =>
    Effect.gen(function* () {
      const token = yield* signIn()
      const answers = yield* Effect.all(
        Array.from({ length: 50 }, () => increment(token)),
        { concurrency: "unbounded" },
      )
      const counted = answers.filter(({ status }) => status === 200).length
      const refused = answers.filter(({ status }) => status === 429)
      assert.strictEqual(counted + refused.length, 50)
      // One more is won back every second that the requests take.
      assert.isAtLeast(counted, 20)
      assert.isAtMost(counted, 25)
      assert.strictEqual(yield* checkedScore, counted)
      for (const { headers } of refused) {
        assert.strictEqual(headers["ratelimit-policy"], '"increment";q=20;w=20')
        assert.match(String(headers["ratelimit"]), /^"increment";r=0;t=1$/)
        assert.strictEqual(headers["retry-after"], "1")
      }
    }).pipe(Effect.provide(api({ env: SLOW_REFILL }))),
  )

  it.effect("are each player's own, and give way after the time that was said", () =>
    Effect.gen(function* () {
      const [one, other] = [yield* signIn(0), yield* signIn(1)]
      assert.strictEqual((yield* increment(one)).status, 200)
      const refused = yield* increment(one)
      assert.strictEqual(refused.status, 429)
      assert.strictEqual((yield* increment(other)).status, 200)
      yield* Effect.sleep(`${Number(refused.headers["retry-after"])} seconds`)
      assert.strictEqual((yield* increment(one)).status, 200)
      assert.strictEqual(yield* checkedScore, 3)
    }).pipe(
      Effect.provide(api({ players: 2, env: { INCREMENT_RATE_LIMIT: "2", INCREMENT_RATE_BURST: "1" } })),
    ),
  )

  it.effect("are off with 0", () =>
    Effect.gen(function* () {
      const token = yield* signIn()
      for (let n = 0; n < 30; n++) assert.strictEqual((yield* increment(token)).status, 200)
      for (let n = 0; n < 15; n++) {
        assert.strictEqual((yield* ask("/users/me/history")).status, 401)
      }
      assert.strictEqual(yield* checkedScore, 30)
    }).pipe(
      Effect.provide(
        api({
          env: {
            INCREMENT_RATE_LIMIT: "0",
            INCREMENT_RATE_BURST: "1",
            LOGIN_RATE_LIMIT: "0",
            LOGIN_RATE_LIMIT_ADDRESS: "0",
            UNAUTHORIZED_RATE_LIMIT_ADDRESS: "0",
          },
        }),
      ),
    ),
  )

  const away = new RedisFailure({ operation: "take", cause: new Error("away") })
  it.effect("are counted by the process alone while Redis is away, which is logged once", () =>
    Effect.gen(function* () {
      const token = yield* signIn()
      const answers = yield* Effect.all(
        Array.from({ length: 40 }, () => increment(token)),
        { concurrency: "unbounded" },
      )
      const counted = answers.filter(({ status }) => status === 200).length
      assert.isAtLeast(counted, 20)
      assert.isAtMost(counted, 25)
      assert.strictEqual(yield* checkedScore, counted)
      const lines = (yield* Log).filter((line) => line.includes("this process alone"))
      assert.strictEqual(lines.length, 1)
    }).pipe(
      Effect.provide(api({ env: SLOW_REFILL, replacing: redisWith({ take: () => Effect.fail(away) }) })),
    ),
  )

  it.effect(
    "stop guessing at one account, however its e-mail is capitalised, with the same answer for nobody's",
    () =>
      Effect.gen(function* () {
        for (const who of ["player0", "nobody"]) {
          for (const email of [
            `${who}@example.com`,
            `${who}@EXAMPLE.com`,
            `${who.toUpperCase()}@example.com`,
          ]) {
            assert.strictEqual((yield* attempt(email)).status, 401)
          }
          const refused = yield* ask(LOGIN, postJson({ email: `${who}@example.com`, password: PASSWORD }))
          assert.strictEqual(refused.status, 429)
          assert.strictEqual(refused.headers["ratelimit-policy"], '"login";q=3;w=60')
          assert.isAtLeast(Number(refused.headers["retry-after"]), 1)
        }
        const lines = (yield* Log).join("\n")
        assert.notInclude(lines, "@example.com")
      }).pipe(Effect.provide(api({ env: { LOGIN_RATE_LIMIT: "3" } }))),
  )

  it.effect("stop one address that tries many accounts, and believe no header about it", () =>
    Effect.gen(function* () {
      for (let n = 0; n < 4; n++) {
        const answer = yield* attempt(`nobody${n}@example.com`, { "x-forwarded-for": `1.1.1.${n}` })
        assert.strictEqual(answer.status, 401)
      }
      const headers = { "x-forwarded-for": "2.2.2.2", "x-scoreboard-client": "3.3.3.3" }
      assert.strictEqual((yield* attempt("nobody9@example.com", headers)).status, 429)
      const refresh = yield* ask("/users/auth/refresh", postJson({ refreshToken: "x" }))
      assert.strictEqual(refresh.status, 429)
      const warned = (yield* Log).filter((line) => line.includes("TRUSTED_PROXY_HOPS"))
      assert.strictEqual(warned.length, 1)
    }).pipe(Effect.provide(api({ env: { LOGIN_RATE_LIMIT_ADDRESS: "4" } }))),
  )

  it.effect("count the address that a trusted proxy names", () =>
    Effect.gen(function* () {
      const from = (address: string) =>
        attempt("nobody@example.com", { "x-forwarded-for": `9.9.9.9, ${address}` })
      assert.strictEqual((yield* from("1.1.1.1")).status, 401)
      assert.strictEqual((yield* from("1.1.1.1")).status, 429)
      assert.strictEqual((yield* from("2.2.2.2")).status, 401)
    }).pipe(Effect.provide(api({ env: { LOGIN_RATE_LIMIT_ADDRESS: "1", TRUSTED_PROXY_HOPS: "1" } }))),
  )

  it.effect("stop an address that keeps sending bad tokens, and nobody there who has a good one", () =>
    Effect.gen(function* () {
      const token = yield* signIn()
      const forged = yield* until("429", increment("forged"), ({ status }) => status !== 401)
      assert.strictEqual(forged.status, 429)
      assert.strictEqual((yield* ask("/users/me/history")).status, 429)
      assert.strictEqual((yield* increment(token)).status, 200)
      assert.strictEqual(yield* checkedScore, 1)
    }).pipe(Effect.provide(api({ env: { UNAUTHORIZED_RATE_LIMIT_ADDRESS: "5" } }))),
  )

  it.effect("stop an address that asks for too many pages, and let it have the board", () =>
    Effect.gen(function* () {
      const pages = yield* Effect.replicateEffect(ask("/scores/page"), 4)
      assert.deepStrictEqual(
        pages.map(({ status }) => status),
        [200, 200, 200, 429],
      )
      const headers = pages[3]?.headers
      assert.strictEqual(headers?.["ratelimit-policy"], '"page";q=3;w=60')
      assert.match(String(headers?.["ratelimit"]), /^"page";r=0;t=\d+$/)
      assert.isAtLeast(Number(headers?.["retry-after"]), 1)
      assert.isUndefined(headers?.["cache-control"])
      assert.strictEqual((yield* ask("/scores")).status, 200)
    }).pipe(Effect.provide(api({ env: { PAGE_RATE_LIMIT_ADDRESS: "3" } }))),
  )

  it.effect("do not count pages behind a proxy whose hops are not configured, which is logged once", () =>
    Effect.gen(function* () {
      for (const header of ["x-forwarded-for", "forwarded", "x-real-ip"]) {
        const answer = yield* ask("/scores/page", { headers: { [header]: "1.1.1.1" } })
        assert.strictEqual(answer.status, 200)
      }
      assert.strictEqual((yield* ask("/scores/page")).status, 200)
      assert.strictEqual((yield* ask("/scores/page")).status, 429)
      const warned = (yield* Log).filter((line) => line.includes("Pages are not limited per address"))
      assert.strictEqual(warned.length, 1)
    }).pipe(Effect.provide(api({ env: { PAGE_RATE_LIMIT_ADDRESS: "1" } }))),
  )

  it.effect("count pages by the address that a trusted proxy names", () =>
    Effect.gen(function* () {
      const from = (address: string) => ask("/scores/page", { headers: { "x-forwarded-for": address } })
      const answers = yield* Effect.forEach(["1.1.1.1", "1.1.1.1", "2.2.2.2"], from)
      assert.deepStrictEqual(
        answers.map(({ status }) => status),
        [200, 429, 200],
      )
    }).pipe(Effect.provide(api({ env: { PAGE_RATE_LIMIT_ADDRESS: "1", TRUSTED_PROXY_HOPS: "1" } }))),
  )
})
