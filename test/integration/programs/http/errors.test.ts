import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ApiServer } from "../../../../src/programs/http/ApiServer.ts"
import { exchange } from "../../../support/fixtures.ts"
import { api, ask, Engine, postJson } from "./fixtures.ts"

const OPTIONS = { timeout: "30 seconds", excludeTestServices: true } as const

const OpenApiDocument = Schema.Struct({
  openapi: Schema.String,
  paths: Schema.Record(
    Schema.String,
    Schema.Record(Schema.String, Schema.Struct({ responses: Schema.Record(Schema.String, Schema.Unknown) })),
  ),
})
const decodeOpenApi = Schema.decodeUnknownSync(Schema.fromJsonString(OpenApiDocument))

layer(Engine.layer, OPTIONS)("API", (it) => {
  it.layer(api())("at its edges", (it) => {
    it.effect("answers 404 where nothing is", () =>
      Effect.gen(function* () {
        for (const path of ["/nowhere", "/scores/x", "/users", "/users/auth", "/health/live", "/metrics"]) {
          assert.strictEqual((yield* ask(path)).status, 404, path)
        }
      }),
    )

    it.effect("knows one spelling of a path", () =>
      Effect.gen(function* () {
        for (const path of ["/Scores", "/scores/", "//scores", "/users/me/history/", "/OpenAPI.json"]) {
          assert.strictEqual((yield* ask(path)).status, 404, path)
        }
      }),
    )

    it.effect("answers 405 with Allow where only the method is wrong", () =>
      Effect.gen(function* () {
        const allowed: ReadonlyArray<readonly [string, string]> = [
          ["/users/auth/login", "POST"],
          ["/users/me/history", "GET, HEAD"],
          ["/scores", "GET, HEAD"],
          ["/scores/increment", "POST"],
          ["/scores/websocket", "GET, HEAD"],
          ["/openapi.json", "GET, HEAD"],
          ["/docs", "GET, HEAD"],
          ["/favicon.svg", "GET, HEAD"],
          ["/favicon.ico", "GET, HEAD"],
          ["/", "GET, HEAD"],
        ]
        for (const [path, allow] of allowed) {
          for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"]) {
            if (allow.includes(method)) continue
            const answer = yield* ask(path, { method })
            assert.deepStrictEqual([answer.status, answer.headers.allow], [405, allow], `${method} ${path}`)
          }
        }
      }),
    )

    it.effect("asks a plain request on the socket's path to upgrade: 426", () =>
      Effect.gen(function* () {
        const answer = yield* ask("/scores/websocket")
        assert.deepStrictEqual([answer.status, answer.headers.upgrade], [426, "websocket"])
      }),
    )

    it.effect("describes every route and every status of it, as the routes behave", () =>
      Effect.gen(function* () {
        const answer = yield* ask("/openapi.json")
        const { openapi, paths } = decodeOpenApi(answer.body)
        assert.match(openapi, /^3\.1/)
        const statuses = Object.entries(paths).flatMap(([path, methods]) =>
          Object.entries(methods).map(
            ([method, { responses }]) => `${method} ${path} ${Object.keys(responses).join(" ")}`,
          ),
        )
        assert.deepStrictEqual(statuses.toSorted(), [
          "get /scores 200 304 400 500 503",
          "get /scores/me 200 400 401 429 500 503",
          "get /scores/page 200 400 429 500 503",
          "get /users/me/history 200 400 401 429 500 503",
          "post /scores/increment 200 400 401 403 413 429 500 503",
          "post /users/auth/login 200 400 401 413 415 429 500 503",
          "post /users/auth/logout 204 400 401 413 415 429 500 503",
          "post /users/auth/refresh 200 400 401 413 415 429 500 503",
        ])
        const docs = yield* ask("/docs")
        assert.strictEqual(docs.status, 200)
        assert.match(String(docs.headers["content-type"]), /^text\/html/)
      }),
    )

    it.effect("keeps a well-formed request id and replaces any other", () =>
      Effect.gen(function* () {
        const kept = yield* ask("/scores", { headers: { "x-request-id": "Trace-1.a_b" } })
        assert.strictEqual(kept.headers["x-request-id"], "Trace-1.a_b")
        const made = yield* Effect.forEach(["", "two words", "x".repeat(65), "a,b", "<script>"], (id) =>
          ask("/nowhere", { headers: { "x-request-id": id } }),
        )
        const ids = made.map(({ headers }) => headers["x-request-id"])
        assert.strictEqual(new Set(ids).size, ids.length)
      }),
    )

    it.effect("answers what is not HTTP with 400, too large headers with 431, both with an id", () =>
      Effect.gen(function* () {
        const { port } = yield* ApiServer
        const cases: ReadonlyArray<readonly [string, number]> = [
          ["\u0016\u0003\u0001 this is no HTTP\r\n\r\n", 400],
          ["GET /scores HTTP/1.1\r\n\r\n", 400],
          ["GET /scores HTTP/1.1\r\nHost: a\r\nExpect: a miracle\r\nConnection: close\r\n\r\n", 417],
          ["GET /scores HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400],
          [`GET /scores HTTP/1.1\r\nHost: a\r\nX-Long: ${"x".repeat(20_000)}\r\n\r\n`, 431],
        ]
        for (const [bytes, status] of cases) {
          const answer = yield* exchange(port, bytes)
          assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `), bytes.slice(0, 40))
          assert.match(answer, /\r\nx-request-id: [\w.-]+\r\n/i, bytes.slice(0, 40))
          assert.match(answer, /\r\ncontent-type: application\/problem\+json\r\n/i, bytes.slice(0, 40))
        }
        assert.strictEqual((yield* ask("/scores")).status, 200)
      }),
    )

    it.effect("refuses a body over 16 KiB, announced or not: 413", () =>
      Effect.gen(function* () {
        const body = JSON.stringify({ email: "a@b", password: "x".repeat(20_000) })
        assert.strictEqual((yield* ask("/users/auth/login", postJson(body))).status, 413)
        const chunked = postJson(body, { "transfer-encoding": "chunked" })
        assert.strictEqual((yield* ask("/users/auth/login", chunked)).status, 413)
        const fits = JSON.stringify({ email: "a@b", password: "x".repeat(16_000) })
        assert.strictEqual((yield* ask("/users/auth/login", postJson(fits))).status, 401)
      }),
    )
  })
})
