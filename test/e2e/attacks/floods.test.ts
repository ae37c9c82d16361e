import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { refusal } from "../../support/engines/FakeCognito.ts"
import { json } from "../../support/engines/FakeCognito.ts"
import { exchange, openViewer } from "../../support/fixtures.ts"
import { ask, bearer, increment, isBehindEdge, post, tokenOf, World } from "./fixtures.ts"

const OPTIONS = { timeout: "90 seconds", excludeTestServices: true } as const
const LOGIN = "/users/auth/login"

layer(World.layer({ WEBSOCKET_MAX_PER_ADDRESS: "5" }), OPTIONS)("A flood", (it) => {
  it.effect("of 50 increments over two processes counts every 200 and no 429", () =>
    Effect.gen(function* () {
      const { score } = yield* World
      const token = yield* tokenOf("spammer")
      const before = yield* score
      const started = Date.now()
      const answers = yield* Effect.all(
        Array.from({ length: 50 }, (_, n) => increment(token, n % 2 === 0 ? 0 : 1)),
        { concurrency: "unbounded" },
      )
      const seconds = (Date.now() - started) / 1000
      const counted = answers.filter(({ status }) => status === 200).length
      const limited = answers.filter(({ status }) => status === 429)
      assert.strictEqual(counted + limited.length, 50)
      // 20 at once and 10 a second, whatever process they came to.
      assert.isAtLeast(counted, 20)
      assert.isAtMost(counted, 20 + Math.ceil(seconds * 10))
      for (const { headers } of limited) assert.isAtLeast(Number(headers["retry-after"]), 1)
      assert.strictEqual(yield* score, before + counted)
    }),
  )

  it.effect("of increments by one player leaves the others alone", () =>
    Effect.gen(function* () {
      const [spammer, honest] = [yield* tokenOf("spammer-2"), yield* tokenOf("honest")]
      yield* Effect.all(
        Array.from({ length: 30 }, () => increment(spammer)),
        { concurrency: "unbounded" },
      )
      assert.strictEqual((yield* increment(honest)).status, 200)
    }),
  )

  it.effect("of passwords for one account ends after ten, over both processes, right or wrong", () =>
    Effect.gen(function* () {
      const { cognito } = yield* World
      const statuses: Array<number> = []
      for (let n = 0; n < 14; n++) {
        cognito.answers.InitiateAuth = refusal("NotAuthorizedException", "Incorrect username or password.")
        const email = n % 3 === 0 ? "Ada@Example.com" : "ada@example.com"
        const answer = yield* ask(LOGIN, post({ email, password: `guess ${n}` }), n % 2 === 0 ? 0 : 1)
        statuses.push(answer.status)
      }
      assert.deepStrictEqual(statuses, [...Array.from({ length: 10 }, () => 401), 429, 429, 429, 429])
      cognito.answers.InitiateAuth = json(200, cognito.tokens({ email: "ada@example.com" }))
      assert.strictEqual(
        (yield* ask(LOGIN, post({ email: "ada@example.com", password: "right" }))).status,
        429,
      )
    }),
  )

  it.effect("of names does not tell which of them has an account", () =>
    Effect.gen(function* () {
      const { cognito } = yield* World
      const answers: Array<string> = []
      for (const [n, name] of [
        "NotAuthorizedException",
        "UserNotFoundException",
        "UserNotConfirmedException",
        "PasswordResetRequiredException",
      ].entries()) {
        cognito.answers.InitiateAuth = refusal(name, "Something that only Cognito says")
        const answer = yield* ask(LOGIN, post({ email: `someone${n}@example.com`, password: "x" }))
        const { "x-request-id": _id, date: _date, ...headers } = answer.headers
        answers.push(JSON.stringify([answer.status, headers, answer.body]))
      }
      assert.strictEqual(new Set(answers).size, 1)
      assert.match(answers[0] ?? "", /^\[401,/)
      assert.notInclude(answers[0] ?? "", "Cognito")
    }),
  )

  it.effect("of bytes is refused before it is read to the end", () =>
    Effect.gen(function* () {
      const { urls, score } = yield* World
      const port = Number(new URL(urls[0]).port)
      const token = yield* tokenOf("flooder")
      const before = yield* score
      const big = "x".repeat(20_000)
      const CASES: ReadonlyArray<readonly [bytes: string, status: string]> = [
        [`GET /scores HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Big: ${big}\r\n\r\n`, "431"],
        [`GET /${big} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, "431"],
        [
          `POST ${LOGIN} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 20000\r\n\r\n${big}`,
          "413",
        ],
        [
          `POST ${LOGIN} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n4e20\r\n${big}\r\n0\r\n\r\n`,
          "413",
        ],
        [
          `POST /scores/increment HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\nContent-Length: 20000\r\n\r\n${big}`,
          "413",
        ],
        ["GET /scores HTTP/9.9\r\n\r\n", "400"],
        [
          `POST /scores/increment HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx`,
          "400",
        ],
        [
          `POST /scores/increment HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
          "400",
        ],
      ]
      for (const [bytes, status] of CASES) {
        const answer = yield* exchange(port, bytes)
        const expected = isBehindEdge ? "4\\d\\d" : status
        assert.match(answer, new RegExp(`^HTTP/1\\.1 ${expected} `), bytes.slice(0, 60))
        if (!isBehindEdge) assert.match(answer, /application\/problem\+json/i)
      }
      assert.strictEqual(yield* score, before)
      assert.strictEqual((yield* ask("/scores")).status, 200)
    }),
  )

  it.effect("of sockets from one address ends at its cap", () =>
    Effect.gen(function* () {
      const { urls } = yield* World
      const url = `${urls[0]}/scores/websocket`
      for (let n = 0; n < 5; n++) yield* openViewer(url)
      assert.propertyVal(yield* Effect.flip(openViewer(url)), "status", 429)
      assert.strictEqual((yield* ask("/scores")).status, 200)
    }).pipe(Effect.scoped),
  )

  it.effect("of frames ends its own socket only, and a page of another origin opens none", () =>
    Effect.gen(function* () {
      const { urls } = yield* World
      const url = `${urls[1]}/scores/websocket`
      const [quiet, loud] = [yield* openViewer(url), yield* openViewer(url)]
      loud.socket.send("x".repeat(2000))
      assert.strictEqual(yield* loud.closed, 1009)
      assert.strictEqual(quiet.socket.readyState, quiet.socket.OPEN)
      const foreign = yield* Effect.flip(openViewer(url, { origin: "https://evil.example" }))
      assert.propertyVal(foreign, "status", 403)
    }),
  )

  it.effect("of bodies that name another player or another amount raises the caller by one each", () =>
    Effect.gen(function* () {
      const { score } = yield* World
      const token = yield* tokenOf("body")
      const before = yield* score
      const bodies = [{ userId: "other" }, { amount: 1000 }, { sub: "other", score: 1e9 }, [], "x", null]
      for (const body of bodies) {
        const answer = yield* ask("/scores/increment", post(body, bearer(token)))
        assert.strictEqual(answer.status, 200)
      }
      assert.strictEqual(yield* score, before + bodies.length)
      const history = yield* ask("/users/me/history", { headers: bearer(token) })
      assert.include(history.body, `"score":${bodies.length},"entries"`)
    }),
  )
})
