import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ApiServer } from "../../../../src/programs/http/ApiServer.ts"
import { RedisFailure } from "../../../../src/services/Redis/Redis.ts"
import { SqlFailure } from "../../../../src/services/Sql/Sql.ts"
import { exchange } from "../../../support/fixtures.ts"
import { api, ask, Engine, Log, redisWith, sqlWith } from "./apiFixtures.ts"

const OPTIONS = { timeout: "30 seconds", excludeTestServices: true } as const
const ALLOWED = "https://board.example.com"

const REQUESTS = [
  "",
  "If-None-Match: *\r\n",
  'If-None-Match: "other"\r\n',
  `Origin: ${ALLOWED}\r\n`,
  "Origin: https://elsewhere.example.com\r\n",
  "X-Forwarded-Proto: https\r\n",
  "Connection: keep-alive, close\r\n",
]

/** All that comes back, but for the time of day. */
const answerOf = Effect.fnUntraced(function* (method: string, path: string, headers: string) {
  const { port } = yield* ApiServer
  const head = `${method} ${path} HTTP/1.1\r\nHost: a\r\nX-Request-Id: same\r\nConnection: close\r\n`
  return (yield* exchange(port, `${head}${headers}\r\n`)).replace(/\r\nDate: [^\r]+/, "")
})

// A request that announces a body goes through the application, which is the way of every other route.
const WITH_BODY = "Content-Length: 0\r\n"

const bothWaysAgree = Effect.gen(function* () {
  const answers: Array<string> = []
  for (const method of ["GET", "HEAD"]) {
    for (const headers of REQUESTS) {
      const answer = yield* answerOf(method, "/scores", headers)
      assert.strictEqual(
        answer,
        yield* answerOf(method, "/scores", headers + WITH_BODY),
        `${method} ${headers}`,
      )
      answers.push(answer)
    }
  }
  return answers
})

const statuses = (answers: ReadonlyArray<string>) => new Set(answers.map((answer) => answer.slice(9, 12)))

const cause = new Error("away")
let selects = 0
const withoutStores = api({
  replacing: Layer.merge(
    sqlWith(() => ({
      top: () =>
        Effect.suspend(() => {
          selects += 1
          return Effect.delay(Effect.fail(new SqlFailure({ operation: "top", cause })), "200 millis")
        }),
    })),
    redisWith({ readBoard: Effect.fail(new RedisFailure({ operation: "readBoard", cause })) }),
  ),
})

layer(Engine.layer, OPTIONS)("GET /scores, in rounds", (it) => {
  it.layer(api())("without settings", (it) => {
    it.effect("is byte for byte what the application answers", () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(statuses(yield* bothWaysAgree), new Set(["200", "304"]))
      }),
    )
  })

  it.layer(api({ env: { CORS_ORIGINS: ALLOWED, TRUSTED_PROXY_HOPS: "1" } }))(
    "with another origin and a proxy",
    (it) => {
      it.effect("is byte for byte what the application answers", () =>
        Effect.gen(function* () {
          const answers = yield* bothWaysAgree
          assert.isTrue(answers.some((answer) => answer.includes(`access-control-allow-origin: ${ALLOWED}`)))
          assert.isTrue(answers.some((answer) => answer.includes("strict-transport-security")))
        }),
      )
    },
  )

  it.layer(withoutStores)("without PostgreSQL and Redis", (it) => {
    it.effect("is 503 for all of a round, and the log names each of them", () =>
      Effect.gen(function* () {
        const ids = ["one", "two", "three"]
        const answers = yield* Effect.forEach(
          ids,
          (id) => ask("/scores", { headers: { "x-request-id": id } }),
          { concurrency: "unbounded" },
        )
        for (const { status, body } of answers) {
          assert.strictEqual(status, 503)
          assert.include(body, '"dependency":"database"')
        }
        assert.isBelow(selects, ids.length)
        const failures = (yield* Log).filter((line) => line.includes("The board could not be read"))
        for (const id of ids) {
          assert.strictEqual(failures.filter((line) => line.includes(`"requestId":"${id}"`)).length, 1, id)
        }
        const answer = yield* answerOf("GET", "/scores", "")
        assert.match(answer, /^HTTP\/1\.1 503 [^]*\r\nretry-after: \d+\r\n/)
        assert.strictEqual(answer, yield* answerOf("GET", "/scores", WITH_BODY))
      }),
    )
  })
})
