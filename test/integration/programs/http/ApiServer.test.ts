import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import { encodeIncrement, PublicBoard } from "../../../../src/domain/Messages.ts"
import { UserId } from "../../../../src/domain/Score.ts"
import { type ReceivedMessage, Sqs } from "../../../../src/services/Sqs/Sqs.ts"
import { api, ask, Engine, increment, PASSWORD, players, postJson, signIn } from "./apiFixtures.ts"

const LOGIN = "/users/auth/login"
const INCREMENTED = '{"message":"Score incremented"}'
const PLAYERS = 4
const OPTIONS = { timeout: "30 seconds", excludeTestServices: true } as const

const decodeBoard = Schema.decodeUnknownSync(Schema.fromJsonString(PublicBoard))
const figures = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly scores: number; readonly events: number }>`
select coalesce((select sum(score) from scores), 0)::int as scores, coalesce((select sum(amount) from score_events), 0)::int as events`
  return row
})

/** Takes everything from the queue. */
const drainQueue = Effect.gen(function* () {
  const sqs = yield* Sqs
  const all: Array<ReceivedMessage> = []
  while (true) {
    const batch = yield* sqs.receive
    if (batch.length === 0) return all
    all.push(...batch)
    yield* sqs.delete(batch.map(({ receipt }) => receipt))
  }
})

layer(Engine.layer, OPTIONS)("API", (it) => {
  it.layer(api({ players: PLAYERS }))("on its services", (it) => {
    it.effect("signs in with exactly the two tokens, which no cache keeps", () =>
      Effect.gen(function* () {
        const answer = yield* ask(LOGIN, postJson(players(1)[0]))
        assert.strictEqual(answer.status, 200)
        assert.strictEqual(answer.headers["cache-control"], "no-store")
        assert.match(answer.body, /^\{"accessToken":"[\w.-]+","refreshToken":"[\w-]+"\}$/)
      }),
    )

    it.effect("gives one answer to a wrong password and an unknown address", () =>
      Effect.gen(function* () {
        const wrong = yield* ask(LOGIN, postJson({ email: "player0@example.com", password: "x" }))
        const unknown = yield* ask(LOGIN, postJson({ email: "nobody@example.com", password: PASSWORD }))
        for (const answer of [wrong, unknown]) {
          assert.strictEqual(answer.status, 401)
          assert.strictEqual(answer.headers["cache-control"], "no-store")
          assert.strictEqual(answer.headers["www-authenticate"], 'Bearer realm="scoreboard"')
        }
        assert.strictEqual(wrong.body, unknown.body)
      }),
    )

    const MALFORMED: ReadonlyArray<readonly [string, unknown]> = [
      ["no password", { email: "a@b" }],
      ["no e-mail", { password: "x" }],
      ["an empty e-mail", { email: "", password: "x" }],
      ["an empty password", { email: "a@b", password: "" }],
      ["a number for the e-mail", { email: 1, password: "x" }],
      ["a list for the password", { email: "a@b", password: ["x"] }],
      ["null", null],
      ["a list", []],
      ["an empty object", {}],
      ["no JSON", '{"email":'],
      ["no body", ""],
    ]
    for (const [title, body] of MALFORMED) {
      it.effect(`refuses a login with ${title}: 400`, () =>
        Effect.gen(function* () {
          assert.strictEqual((yield* ask(LOGIN, postJson(body))).status, 400)
        }),
      )
    }

    it.effect("refuses a login of another content type: 415", () =>
      Effect.gen(function* () {
        const body = JSON.stringify(players(1)[0])
        for (const headers of [{ "content-type": "text/plain" }, { "content-type": "application/xml" }]) {
          assert.strictEqual((yield* ask(LOGIN, { method: "POST", headers, body })).status, 415)
        }
      }),
    )

    it.effect("refuses a body over 16 KiB, announced or not: 413", () =>
      Effect.gen(function* () {
        const body = JSON.stringify({ email: "a@b", password: "x".repeat(20_000) })
        assert.strictEqual((yield* ask(LOGIN, postJson(body))).status, 413)
        const chunked = postJson(body, { "transfer-encoding": "chunked" })
        assert.strictEqual((yield* ask(LOGIN, chunked)).status, 413)
        const fits = JSON.stringify({ email: "a@b", password: "x".repeat(16_000) })
        assert.strictEqual((yield* ask(LOGIN, postJson(fits))).status, 401)
      }),
    )

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
        for (const tags of [etag, `W/${etag}`, `"other", ${etag}`, `"a",W/${etag} , "b"`, "*"]) {
          const answer = yield* ask("/scores", { headers: { "if-none-match": tags } })
          assert.strictEqual(answer.status, 304, tags)
          assert.strictEqual(answer.body, "")
          assert.strictEqual(answer.headers.etag, etag)
          assert.match(String(answer.headers["cache-control"]), /max-age=1/)
        }
        for (const tags of ['"other"', etag.slice(1, -1), ""]) {
          assert.strictEqual(
            (yield* ask("/scores", { headers: { "if-none-match": tags } })).status,
            200,
            tags,
          )
        }
      }),
    )

    it.effect("counts 1 for the player of the token, whatever the body says", () =>
      Effect.gen(function* () {
        const token = yield* signIn(1)
        const before = yield* figures
        const other = JSON.stringify({ userId: "other", email: "player2@example.com", amount: 100, score: 9 })
        const bodies: ReadonlyArray<readonly [string | undefined, string]> = [
          [undefined, ""],
          ["application/json", other],
          ["application/json", "{"],
          ["text/plain", "hello"],
          ["application/x-www-form-urlencoded", "amount=5"],
          ["multipart/form-data; boundary=x", "--x--"],
          ["application/octet-stream", "\u0000\u0001"],
        ]
        for (const [type, body] of bodies) {
          const headers = type === undefined ? {} : { "content-type": type }
          const answer = yield* increment(token, { headers, body })
          assert.deepStrictEqual([answer.status, answer.body], [200, INCREMENTED], type)
          assert.match(String(answer.headers["content-type"]), /^application\/json/)
        }
        const after = yield* figures
        assert.strictEqual((after?.scores ?? 0) - (before?.scores ?? 0), bodies.length)
        const sql = yield* SqlClient.SqlClient
        const raised = yield* sql<{
          readonly email: string
        }>`select email from scores join users on id = user_id`
        assert.deepStrictEqual(
          raised.map(({ email }) => email),
          ["player1@example.com"],
        )
      }),
    )

    it.effect("answers 401 with a challenge to everything that is no valid access token", () =>
      Effect.gen(function* () {
        const token = yield* signIn()
        const before = yield* figures
        const authorizations = [
          undefined,
          "",
          "Basic cGxheWVyOnBhc3M=",
          "Bearer",
          "Bearer ",
          "Bearer garbage",
          "Bearer a.b.c",
          token,
          `Bearer ${token.slice(0, -4)}`,
          `Bearer ${token} ${token}`,
        ]
        const bodies = new Set<string>()
        for (const authorization of authorizations) {
          const headers = authorization === undefined ? {} : { authorization }
          const answer = yield* ask("/scores/increment", { method: "POST", headers })
          assert.strictEqual(answer.status, 401, authorization)
          assert.match(String(answer.headers["www-authenticate"]), /^Bearer /)
          bodies.add(answer.body)
        }
        assert.strictEqual(bodies.size, 1)
        assert.deepStrictEqual(yield* figures, before)
      }),
    )

    it.effect("counts concurrent increments once each, and queues one message for each, byte for byte", () =>
      Effect.gen(function* () {
        yield* drainQueue
        const before = yield* figures
        const tokens = yield* Effect.forEach(
          Array.from({ length: PLAYERS }, (_, index) => index),
          signIn,
        )
        const answers = yield* Effect.forEach(
          Array.from({ length: 50 }, (_, index) => tokens[index % PLAYERS] ?? ""),
          (token) => increment(token),
          { concurrency: "unbounded" },
        )
        assert.deepStrictEqual(
          [...new Set(answers.map(({ status, body }) => `${status} ${body}`))],
          [`200 ${INCREMENTED}`],
        )

        const after = yield* figures
        assert.strictEqual((after?.scores ?? 0) - (before?.scores ?? 0), answers.length)
        assert.strictEqual(after?.events, after?.scores)

        const sql = yield* SqlClient.SqlClient
        const events = yield* sql<{ readonly id: string; readonly user_id: string; readonly email: string }>`
select e.id::text as id, user_id, email from score_events e join users u on u.id = user_id order by e.id desc limit ${answers.length}`
        const messages = yield* drainQueue
        assert.deepStrictEqual(
          messages.map(({ attributes, body }) => `${attributes["eventId"]} ${body}`).toSorted(),
          events
            .map(
              ({ id, user_id, email }) => `${id} ${encodeIncrement({ userId: UserId.make(user_id), email })}`,
            )
            .toSorted(),
        )
        assert.match(
          messages[0]?.body ?? "",
          /^\{"userId":"[^"]+","email":"[^"]+","type":"score\.increment"\}$/,
        )
      }),
    )
  })
})
