import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { EDGE_SECRET, startEdge } from "../../support/engines/EdgeServer.ts"
import { type Answer, exchange, openViewer, request, type RequestOptions } from "../../support/fixtures.ts"
import { api, bearer, Engine, origin, players, postJson, score } from "../programs/http/fixtures.ts"

const Tokens = Schema.fromJsonString(Schema.Struct({ accessToken: Schema.String }))
const ALLOWED = "https://page.example.com"

/** The address of an edge in front of the API. */
class Edge extends Context.Service<Edge, string>()("test/edge/Edge") {
  static readonly layer = Layer.effect(
    Edge,
    Effect.flatMap(origin, (url) =>
      Effect.map(startEdge(url, { CORS_ORIGINS: ALLOWED }), (edge) => edge.url),
    ),
  )
}

const through = (path: string, options?: RequestOptions) =>
  Effect.flatMap(Edge, (url) => request(`${url}${path}`, options))

const directly = (path: string, options: RequestOptions = {}) =>
  Effect.flatMap(origin, (url) =>
    request(`${url}${path}`, { ...options, headers: { ...options.headers, "x-edge-secret": EDGE_SECRET } }),
  )

/** Of one connection, or what a cache adds. */
const HOPS = [
  "upgrade",
  "date",
  "age",
  "cache-status",
  "connection",
  "keep-alive",
  "content-length",
  "transfer-encoding",
]
const comparable = ({ status, headers, body }: Answer) => ({
  status,
  body,
  headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !HOPS.includes(name))),
})

const ID = { "x-request-id": "one-and-the-same" }
const PREFLIGHT = { origin: ALLOWED, "access-control-request-method": "POST" }
const SAME: ReadonlyArray<readonly [path: string, options?: RequestOptions]> = [
  ["/scores"],
  ["/scores", { method: "HEAD" }],
  ["/scores", { headers: { "if-none-match": "*" } }],
  ["/scores", { headers: { origin: ALLOWED } }],
  ["/scores?later=1"],
  ["/scores/page"],
  ["/scores/page?limit=5"],
  ["/scores/page?limit=0"],
  ["/scores/page?after=x"],
  ["/scores/me"],
  ["/scores/me", { headers: { authorization: "Bearer x", origin: ALLOWED } }],
  ["/users/me/history?limit=1000"],
  ["/scores/increment", { method: "POST" }],
  ["/scores/increment", { method: "OPTIONS", headers: PREFLIGHT }],
  ["/scores/increment", { headers: { origin: ALLOWED } }],
  ["/users/auth/login", postJson("{")],
  ["/users/auth/login", postJson({ email: "nobody@example.com", password: "x" })],
  ["/users/auth/login", { method: "POST", body: "email=a", headers: { "content-type": "text/plain" } }],
  ["/users/auth/login", postJson("x".repeat(20_000))],
  ["/scores/websocket"],
  ["/openapi.json"],
  ["/docs"],
  ["/nowhere"],
]

layer(Engine.layer, { timeout: "90 seconds", excludeTestServices: true })("The API behind the edge", (it) => {
  it.layer(
    Edge.layer.pipe(
      Layer.provideMerge(api({ env: { EDGE_SECRET, TRUSTED_PROXY_HOPS: "1", CORS_ORIGINS: ALLOWED } })),
    ),
  )("with its secret", (it) => {
    it.effect("gives the same answers as without it: status, body and headers", () =>
      Effect.gen(function* () {
        for (const [path, options] of SAME) {
          const asked = { ...options, headers: { ...ID, ...options?.headers } }
          const expected = comparable(yield* directly(path, asked))
          const answer = comparable(yield* through(path, asked))
          // The edge's own problems say less about a body that is too large.
          if (expected.status === 413) assert.strictEqual(answer.status, 413)
          else assert.deepStrictEqual(answer, expected, `${options?.method ?? "GET"} ${path}`)
        }
      }),
    )

    it.effect("signs in, counts a key once, and opens the page's socket", () =>
      Effect.gen(function* () {
        const edge = yield* Edge
        const viewer = yield* openViewer(`${edge}/scores/websocket?stamped`, { origin: edge })
        const signedIn = yield* through("/users/auth/login", postJson(players(1)[0]))
        const tokens = Schema.decodeUnknownSync(Tokens)(signedIn.body)
        for (let n = 0; n < 3; n++) {
          const pressed = yield* through("/scores/increment", {
            method: "POST",
            headers: { ...bearer(tokens.accessToken), "idempotency-key": "one" },
          })
          assert.strictEqual(pressed.status, 200)
        }
        yield* viewer.until((frame) => frame.startsWith('{"scores":[]'))
        assert.strictEqual(yield* score, 1)
        const own = yield* through("/scores/me", { headers: bearer(tokens.accessToken) })
        assert.include(own.body, '"rank":1')
        assert.match(String(own.headers["cache-control"]), /no-store/)
        const foreign = yield* Effect.flip(
          openViewer(`${edge}/scores/websocket`, { origin: "https://evil.example" }),
        )
        assert.propertyVal(foreign, "status", 403)
      }),
    )

    it.effect("passes no request on that hides in another one", () =>
      Effect.gen(function* () {
        const port = Number(new URL(yield* Edge).port)
        const signedIn = yield* through("/users/auth/login", postJson(players(1)[0]))
        const { accessToken } = Schema.decodeUnknownSync(Tokens)(signedIn.body)
        const before = yield* score
        const hidden = `POST /scores/increment HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${accessToken}\r\nContent-Length: 0\r\n\r\n`
        const first = "POST /users/auth/refresh HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        for (const bytes of [
          `${first}Content-Length: 0\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
          `${first}Content-Length: ${hidden.length}\r\nContent-Length: 0\r\n\r\n${hidden}`,
          `${first}Content-Length: ${hidden.length + 5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
          `${first}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${hidden}`,
          `${first}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${hidden}`,
          `GET /scores HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
        ]) {
          const answer = yield* exchange(port, bytes)
          assert.notMatch(answer, /^HTTP\/1\.1 200 [^]*^HTTP\/1\.1/m, bytes)
          assert.strictEqual(yield* score, before, bytes)
        }
      }),
    )

    it.effect("says in one line, without a secret, why it does not start", () =>
      Effect.gen(function* () {
        const url = yield* origin
        const cases: ReadonlyArray<readonly [string, Readonly<Record<string, string>>, string]> = [
          [url, { EDGE_SECRET: "" }, "EDGE_SECRET is not set"],
          [url, { EDGE_SECRET: "too-short" }, "EDGE_SECRET is not valid"],
          [url, { EDGE_SECRET: EDGE_SECRET.toUpperCase() }, "does not accept this EDGE_SECRET"],
          ["127.0.0.1:8080", {}, "ORIGIN is not valid"],
          ["http://127.0.0.1:9", {}, "ORIGIN http://127.0.0.1:9 serves no board"],
        ]
        const check = ([from, env, line]: (typeof cases)[number]) =>
          Effect.map(Effect.flip(startEdge(from, env)), ({ message }) => {
            const [, ...said] = message.split("\n")
            assert.strictEqual(said.length, 1, message)
            assert.include(said[0], line)
            assert.notMatch(message, /too-short|0123456789/)
          })
        yield* Effect.forEach(cases, check, { concurrency: "unbounded", discard: true })
      }),
    )

    it.effect("refuses who goes past it", () =>
      Effect.gen(function* () {
        const url = yield* origin
        assert.strictEqual((yield* request(`${url}/scores`)).status, 403)
        assert.propertyVal(yield* Effect.flip(openViewer(`${url}/scores/websocket`)), "status", 403)
      }),
    )
  })
})
