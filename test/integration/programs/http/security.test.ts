import { assert, layer } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import { ApiServer } from "../../../../src/programs/http/ApiServer.ts"
import { originsConfig } from "../../../../src/programs/http/Origins.ts"
import { type Answer, exchange, openViewer, request } from "../../../support/fixtures.ts"
import { api, ask, checkAnswer, Engine, increment, Log, origin, postJson, score, signIn } from "./fixtures.ts"

const SOCKET = "/scores/websocket"
const ALLOWED = "https://board.example.com"
const FOREIGN = "https://evil.example"
/** While it is changed, the edge has one secret and the API two. */
const SECRETS = ["old-0123456789-0123456789-0123456789", "new-0123456789-0123456789-0123456789"] as const
const MANAGEMENT = /"Health and metrics are served".*"port":(\d+)/
const TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
const OPTIONS = { timeout: "60 seconds", excludeTestServices: true } as const

const checkHeaders = ({ headers }: Answer) => {
  assert.strictEqual(headers["x-content-type-options"], "nosniff")
  assert.strictEqual(headers["referrer-policy"], "no-referrer")
  const policy = String(headers["content-security-policy"])
  assert.match(policy, /frame-ancestors 'none'/)
  assert.match(policy, /^default-src 'none'/)
  assert.isUndefined(headers["x-powered-by"])
  assert.isUndefined(headers["server"])
}

/** Raw bytes of a request, to send what no client library does. */
const raw = (lines: ReadonlyArray<string>) =>
  Effect.flatMap(ApiServer, ({ port }) => exchange(port, `${lines.join("\r\n")}\r\n\r\n`))

const rawIncrement = (headers: ReadonlyArray<string>) =>
  raw(["POST /scores/increment HTTP/1.1", "Host: x", "Content-Length: 0", "Connection: close", ...headers])

const upgrade = (headers: Readonly<Record<string, string>>) =>
  Effect.flatMap(origin, (url) =>
    request(`${url}${SOCKET}`, {
      headers: {
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        ...headers,
      },
    }),
  )

layer(Engine.layer, OPTIONS)("Security", (it) => {
  it.layer(api({ env: { UNAUTHORIZED_RATE_LIMIT_ADDRESS: "0" } }))("without settings", (it) => {
    it.effect("every answer carries the security headers", () =>
      Effect.gen(function* () {
        const token = yield* signIn()
        for (const answer of [
          yield* ask("/scores"),
          yield* ask("/nothing"),
          yield* ask("/scores", { method: "DELETE" }),
          yield* ask(SOCKET),
          yield* ask("/openapi.json"),
          yield* ask("/docs"),
          yield* ask("/users/auth/login", postJson("{")),
          yield* ask("/users/auth/login", postJson("x".repeat(20_000))),
          yield* increment("bad"),
          yield* increment(token),
          yield* upgrade({ origin: FOREIGN }),
        ]) {
          checkHeaders(answer)
          assert.isUndefined(answer.headers["strict-transport-security"])
          assert.isUndefined(answer.headers["access-control-allow-origin"])
        }
      }),
    )

    it.effect("an answer to what is no HTTP carries them, too", () =>
      Effect.gen(function* () {
        const answer = yield* raw(["nonsense"])
        assert.match(answer, /^HTTP\/1\.1 400 /)
        assert.match(answer, /\r\nx-content-type-options: nosniff\r\n/i)
      }),
    )

    it.effect("an increment with several Authorization headers is 401 and counts nothing", () =>
      Effect.gen(function* () {
        const token = yield* signIn()
        const before = yield* score
        for (const headers of [
          [`Authorization: Bearer ${token}`, "Authorization: Bearer x"],
          ["Authorization: Bearer x", `Authorization: Bearer ${token}`],
          [`authorization: Bearer ${token}`, `AUTHORIZATION: Bearer ${token}`],
        ]) {
          assert.match(yield* rawIncrement(headers), /^HTTP\/1\.1 401 /)
        }
        assert.strictEqual(yield* score, before)
        assert.match(yield* rawIncrement([`Authorization: Bearer ${token}`]), /^HTTP\/1\.1 200 /)
      }),
    )

    it.effect("a token anywhere else than in its header is not seen", () =>
      Effect.gen(function* () {
        const token = yield* signIn()
        const before = yield* score
        for (const options of [
          { headers: { cookie: `accessToken=${token}; Authorization=Bearer ${token}` } },
          { headers: { "x-authorization": `Bearer ${token}`, "proxy-authorization": `Bearer ${token}` } },
          { headers: { authorization: `Basic ${token}` } },
          { headers: { authorization: token } },
          { ...postJson({ accessToken: token, access_token: token }) },
        ]) {
          const answer = yield* ask("/scores/increment", { ...options, method: "POST" })
          assert.strictEqual(answer.status, 401)
        }
        for (const name of ["access_token", "accessToken", "token", "Authorization"]) {
          const path = `/scores/increment?${name}=${encodeURIComponent(`Bearer ${token}`)}&${name}=${token}`
          assert.strictEqual((yield* ask(path, { method: "POST" })).status, 401)
        }
        assert.strictEqual(yield* score, before)
      }),
    )

    it.effect("a page of another origin gets no permission", () =>
      Effect.gen(function* () {
        const preflight = yield* ask("/scores/increment", {
          method: "OPTIONS",
          headers: { origin: FOREIGN, "access-control-request-method": "POST" },
        })
        assert.strictEqual(preflight.status, 405)
        const answer = yield* ask("/scores", { headers: { origin: FOREIGN } })
        assert.isUndefined(answer.headers["access-control-allow-origin"])
      }),
    )

    it.effect("a WebSocket is opened for its own page and for what is no browser only", () =>
      Effect.gen(function* () {
        const url = yield* origin
        yield* openViewer(`${url}${SOCKET}`)
        yield* openViewer(`${url}${SOCKET}`, { origin: url })
        for (const from of [FOREIGN, ALLOWED, "null", "", `${url}.evil.example`, "http://localhost", "x"]) {
          const refused = yield* upgrade({ origin: from })
          assert.strictEqual(refused.status, 403)
          checkAnswer(refused)
        }
      }),
    )

    it.effect("a proxy that writes the default port into Host does not make the page foreign", () =>
      Effect.gen(function* () {
        const url = `${yield* origin}${SOCKET}`
        for (const [host, from] of [
          ["board.example.com:443", ALLOWED],
          ["Board.Example.com:80", ALLOWED],
          ["board.example.com:80", "http://board.example.com"],
          ["board.example.com", `${ALLOWED}:443`],
          ["board.example.com:8443", `${ALLOWED}:8443`],
          ["[2001:db8::1]:443", "https://[2001:db8::1]"],
        ] as const) {
          yield* openViewer(url, { host, origin: from })
        }
        for (const [host, from] of [
          ["board.example.com:8443", ALLOWED],
          ["board.example.com", `${ALLOWED}:8443`],
          ["board.example.com:443", `${ALLOWED}:8443`],
          ["board.example.com:443", FOREIGN],
          ["board.example.com:4430", ALLOWED],
          [":443", ALLOWED],
        ] as const) {
          assert.strictEqual((yield* upgrade({ host, origin: from })).status, 403, `${host} ${from}`)
        }
      }),
    )
  })

  it.layer(api({ env: { CORS_ORIGINS: `${ALLOWED}, http://localhost:5173`, TRUSTED_PROXY_HOPS: "1" } }))(
    "with other origins and a proxy",
    (it) => {
      it.effect("only an allowed origin's page may read and send", () =>
        Effect.gen(function* () {
          for (const from of [ALLOWED, "http://localhost:5173"]) {
            const preflight = yield* ask("/scores/increment", {
              method: "OPTIONS",
              headers: {
                origin: from,
                "access-control-request-method": "POST",
                "access-control-request-headers": "authorization, idempotency-key",
              },
            })
            assert.strictEqual(preflight.status, 204)
            assert.strictEqual(preflight.headers["access-control-allow-origin"], from)
            assert.match(String(preflight.headers["access-control-allow-headers"]), /Authorization/)
            assert.isUndefined(preflight.headers["access-control-allow-credentials"])
            const answer = yield* ask("/scores", { headers: { origin: from } })
            assert.strictEqual(answer.headers["access-control-allow-origin"], from)
            assert.match(String(answer.headers.vary), /origin/i)
          }
          for (const from of [FOREIGN, `${ALLOWED}.evil.example`, "null", ALLOWED.toUpperCase()]) {
            const answer = yield* ask("/scores", { headers: { origin: from } })
            assert.isUndefined(answer.headers["access-control-allow-origin"])
            assert.match(String(answer.headers.vary), /origin/i)
          }
        }),
      )

      it.effect("an allowed origin's page may open a WebSocket", () =>
        Effect.gen(function* () {
          const url = yield* origin
          yield* openViewer(`${url}${SOCKET}`, { origin: ALLOWED })
          assert.strictEqual((yield* upgrade({ origin: FOREIGN })).status, 403)
        }),
      )

      it.effect("who came by TLS through the proxy is told to keep to it", () =>
        Effect.gen(function* () {
          const secure = yield* ask("/scores", { headers: { "x-forwarded-proto": "https" } })
          assert.strictEqual(secure.headers["strict-transport-security"], "max-age=31536000")
          const plain = yield* ask("/scores", { headers: { "x-forwarded-proto": "http" } })
          assert.isUndefined(plain.headers["strict-transport-security"])
        }),
      )
    },
  )

  it.layer(api({ env: { EDGE_SECRET: SECRETS.join(","), MANAGEMENT_PORT: "0", LOG_LEVEL: "All" } }))(
    "behind the edge",
    (it) => {
      it.effect("only who shows a secret of the edge is answered, whatever it asks", () =>
        Effect.gen(function* () {
          const handshake = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13" }
          for (const secret of [
            undefined,
            "",
            "wrong",
            `${SECRETS[0]}x`,
            SECRETS.join(","),
            SECRETS.join(", "),
          ]) {
            const shown = secret === undefined ? {} : { "x-edge-secret": secret }
            for (const answer of [
              yield* ask("/scores", { headers: shown }),
              yield* ask("/scores?a=1", { method: "OPTIONS", headers: shown }),
              yield* ask("/nowhere", { headers: shown }),
              yield* ask("/users/auth/login", postJson({ email: "a@example.com", password: "b" }, shown)),
              yield* ask("/scores", { headers: { expect: "anything", ...shown } }),
              yield* ask("/users/auth/login", {
                method: "POST",
                headers: { expect: "100-continue", ...shown },
                body: "{}",
              }),
              yield* ask(SOCKET, {
                headers: { ...handshake, "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", ...shown },
              }),
            ]) {
              assert.strictEqual(answer.status, 403)
              assert.strictEqual(answer.body, '{"type":"about:blank","status":403,"title":"Forbidden"}')
              assert.notMatch(JSON.stringify(answer.headers), /edge|secret/i)
            }
          }
          for (const secret of SECRETS) {
            assert.strictEqual((yield* ask("/scores", { headers: { "x-edge-secret": secret } })).status, 200)
            yield* openViewer(`${yield* origin}${SOCKET}`, { "x-edge-secret": secret })
          }
        }),
      )

      it.effect("operators need no secret, see how many were refused, and find none in the log", () =>
        Effect.gen(function* () {
          const log = yield* Log
          yield* ask("/scores/page", { headers: { "x-edge-secret": SECRETS[0], traceparent: TRACE } })
          const port = log.map((line) => MANAGEMENT.exec(line)?.[1]).find((found) => found !== undefined)
          const metrics = yield* request(`http://127.0.0.1:${port}/metrics`)
          assert.strictEqual(metrics.status, 200)
          assert.match(metrics.body, /^edge_refused_total\{secret="missing"\} [1-9]/m)
          assert.match(metrics.body, /^edge_refused_total\{secret="wrong"\} [1-9]/m)
          for (const secret of SECRETS) assert.notInclude(log.join("\n") + metrics.body, secret)
        }),
      )
    },
  )

  for (const bad of ["*", "board.example.com", "https://board.example.com/", "null", "https://a.example,,"]) {
    it.effect(`"${bad}" is no list of origins`, () =>
      Effect.gen(function* () {
        const provider = ConfigProvider.fromEnvRecord({ CORS_ORIGINS: bad })
        const error = yield* Effect.flip(originsConfig.origins.parse(provider))
        assert.include(error.message, "CORS_ORIGINS")
      }),
    )
  }
})
