import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { PublicBoard } from "../../../../src/domain/Messages.ts"
import { ApiServer } from "../../../../src/programs/http/ApiServer.ts"
import { RedisFailure } from "../../../../src/services/Redis/Redis.ts"
import { SqlFailure } from "../../../../src/services/Sql/Sql.ts"
import { exchange } from "../../../support/fixtures.ts"
import { api, ask, Engine, Log, redisWith, sqlWith } from "./fixtures.ts"

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

const decodeBoard = Schema.decodeUnknownSync(Schema.fromJsonString(PublicBoard))

/** All that comes back, but for the time of day. */
const answerOf = Effect.fnUntraced(function* (method: string, path: string, headers: string) {
  const { port } = yield* ApiServer
  const head = `${method} ${path} HTTP/1.1\r\nHost: a\r\nX-Request-Id: same\r\nConnection: close\r\n`
  return (yield* exchange(port, `${head}${headers}\r\n`)).replace(/\r\nDate: [^\r]+/, "")
})

// A request that announces a body is answered by the application, as on every other route.
const WITH_BODY = "Content-Length: 0\r\n"

const roundsAgree = Effect.gen(function* () {
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

layer(Engine.layer, OPTIONS)("GET /scores", (it) => {
  it.layer(api())("without settings", (it) => {
    it.effect("gives the board with a tag and a second of caching, to GET and to HEAD", () =>
      Effect.gen(function* () {
        const answer = yield* ask("/scores")
        assert.strictEqual(answer.status, 200)
        assert.strictEqual(answer.headers["content-type"], "application/json")
        assert.match(
          String(answer.headers["cache-control"]),
          /^public, max-age=1, stale-while-revalidate=\d+$/,
        )
        assert.match(String(answer.headers.etag), /^"[0-9a-f-]{36}-\d+"$/)
        assert.strictEqual(JSON.stringify(decodeBoard(answer.body)), answer.body)
        const head = yield* ask("/scores", { method: "HEAD" })
        assert.strictEqual(head.status, 200)
        assert.strictEqual(head.body, "")
        for (const name of ["etag", "cache-control", "content-type", "content-length"]) {
          assert.strictEqual(head.headers[name], answer.headers[name], name)
        }
      }),
    )

    it.effect("answers 304 to every form of the board's own tag, and 200 to another", () =>
      Effect.gen(function* () {
        const etag = String((yield* ask("/scores")).headers.etag)
        const opaque = etag.slice(1, -1)
        const changed = [`W/"${opaque}-gzip"`, `"${opaque}-br"`, `"${opaque};gzip"`, `"a", ${etag}-gzip`]
        for (const tags of [etag, `W/${etag}`, `"other", ${etag}`, `"a",W/${etag} , "b"`, "*", ...changed]) {
          const answer = yield* ask("/scores", { headers: { "if-none-match": tags } })
          assert.strictEqual(answer.status, 304, tags)
          assert.strictEqual(answer.body, "")
          assert.strictEqual(answer.headers.etag, etag)
          assert.match(String(answer.headers["cache-control"]), /max-age=1/)
        }
        for (const tags of ['"other"', opaque, `"${opaque}-other"`, ""]) {
          assert.strictEqual(
            (yield* ask("/scores", { headers: { "if-none-match": tags } })).status,
            200,
            tags,
          )
        }
      }),
    )

    it.effect("gives the same bytes from a round as from the application", () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(statuses(yield* roundsAgree), new Set(["200", "304"]))
      }),
    )
  })

  it.layer(api({ env: { CORS_ORIGINS: ALLOWED, TRUSTED_PROXY_HOPS: "1" } }))(
    "with another origin and a proxy",
    (it) => {
      it.effect("gives the same bytes from a round as from the application", () =>
        Effect.gen(function* () {
          const answers = yield* roundsAgree
          assert.isTrue(answers.some((answer) => answer.includes(`access-control-allow-origin: ${ALLOWED}`)))
          assert.isTrue(answers.some((answer) => answer.includes("strict-transport-security")))
        }),
      )
    },
  )

  it.layer(withoutStores)("without PostgreSQL and Redis", (it) => {
    it.effect("answers 503 to every request of a round, and logs each of them", () =>
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
