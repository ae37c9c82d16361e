import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { EDGE_SECRET } from "../../support/engines/EdgeServer.ts"
import { openViewer, until } from "../../support/fixtures.ts"
import { away } from "./away.ts"
import { ALLOWED, fromNetwork, fromNewNetwork, problemOf, settle, World } from "./edgeFixtures.ts"
import { tagOf } from "./originFixtures.ts"

layer(World.layer, { timeout: "90 seconds", excludeTestServices: true })("The edge", (it) => {
  it.effect("refuses by form what the API does not have, and the origin hears nothing of it", () =>
    Effect.gen(function* () {
      const { origin } = yield* World
      const { ask } = fromNewNetwork()
      const big = "x".repeat(16 * 1024 + 1)
      const { result, arrived } = yield* origin.during(
        Effect.all([
          ask("/nowhere"),
          ask("/scores/"),
          ask("/health/ready"),
          ask("/.edge/x"),
          ask("/scores", { method: "POST", body: "{}" }),
          ask("/scores/increment", { headers: { origin: "https://evil.example" } }),
          ask("/scores/increment", { method: "OPTIONS" }),
          ask(`/scores?${"x".repeat(2_100)}`),
          ask("/scores", { headers: { a: "x".repeat(9_000), b: "x".repeat(8_000) } }),
          ask("/users/auth/login", { method: "POST", body: big }),
          ask("/users/auth/login", {
            method: "POST",
            body: big,
            headers: { "transfer-encoding": "chunked" },
          }),
        ]),
      )
      assert.deepStrictEqual(
        result.map(({ status }) => status),
        [404, 404, 404, 404, 405, 405, 405, 414, 431, 413, 413],
      )
      for (const answer of result) {
        assert.containSubset(problemOf(answer), { type: "about:blank", status: answer.status })
      }
      assert.strictEqual(result[4]?.headers.allow, "GET, HEAD")
      assert.strictEqual(result[5]?.headers.allow, "POST")
      assert.deepStrictEqual(arrived, [])
    }),
  )

  it.effect("introduces itself and the client, and nobody else can", () =>
    Effect.gen(function* () {
      const { origin } = yield* World
      const { ask, client } = fromNewNetwork()
      const { arrived } = yield* origin.during(
        ask("/scores/increment?a=1", {
          method: "POST",
          body: '{"a":1}',
          headers: {
            authorization: "Bearer token",
            "idempotency-key": "key",
            "x-request-id": "my-id",
            "content-type": "application/json",
            "x-edge-secret": "guess",
            "x-forwarded-for": "6.6.6.6",
            forwarded: "for=6.6.6.6",
            "x-real-ip": "6.6.6.6",
            "cf-ipcountry": "XX",
          },
        }),
      )
      const [one] = arrived
      assert.strictEqual(arrived.length, 1)
      assert.deepInclude(one, { method: "POST", target: "/scores/increment?a=1", body: '{"a":1}' })
      assert.deepInclude(one?.headers, {
        authorization: "Bearer token",
        "idempotency-key": "key",
        "x-request-id": "my-id",
        "content-type": "application/json",
        "x-edge-secret": EDGE_SECRET,
        "x-forwarded-for": client,
        "x-forwarded-proto": "http",
      })
      assert.notMatch(JSON.stringify(one?.headers), /6\.6\.6\.6|guess|ipcountry/)
    }),
  )

  it.effect("asks for the board once for all, whatever their headers, and answers 304 itself", () =>
    Effect.gen(function* () {
      const { origin } = yield* World
      const { ask } = fromNewNetwork()
      yield* settle
      const begun = performance.now()
      const { result, arrived } = yield* origin.during(
        Effect.all(
          Array.from({ length: 40 }, (_, n) =>
            ask("/scores", {
              headers: {
                origin: `https://${n}.example`,
                "accept-encoding": `x${n}`,
                cookie: `a=${n}`,
                "x-a": "b",
              },
            }),
          ),
          { concurrency: 20 },
        ),
      )
      assert.isAtMost(arrived.length, 2 + (performance.now() - begun) / 1000)
      for (const { headers } of arrived) assert.notProperty(headers, "cookie")
      for (const { status, body, headers } of result) {
        assert.strictEqual(status, 200)
        assert.strictEqual(body, `{"scores":[],"version":${origin.state.version}}`)
        assert.match(String(headers.age), /^\d$/)
        assert.match(String(headers["cache-status"]), /^edge; /)
        assert.isUndefined(headers["access-control-allow-origin"])
      }
      const etag = tagOf(origin.state.version)
      for (const tag of [etag, `W/${etag}`, `"other", ${etag.slice(0, -1)}-gzip"`]) {
        const answer = yield* ask("/scores", { headers: { "if-none-match": tag } })
        assert.deepStrictEqual([answer.status, answer.body, answer.headers.etag], [304, "", etag])
      }
      assert.strictEqual((yield* ask("/scores", { headers: { "if-none-match": '"other"' } })).status, 200)
      const head = yield* ask("/scores", { method: "HEAD", headers: { "x-request-id": "mine" } })
      assert.deepStrictEqual([head.status, head.body, head.headers["x-request-id"]], [200, "", "mine"])
    }),
  )

  it.effect("shows a change within a second or two", () =>
    Effect.gen(function* () {
      const { origin } = yield* World
      const { ask } = fromNewNetwork()
      origin.state.version = 2
      yield* until("the new board", ask("/scores"), ({ body }) => body.includes('"version":2'))
    }),
  )

  it.effect("keeps an answer apart for the page of an allowed origin, and its preflights", () =>
    Effect.gen(function* () {
      const { origin } = yield* World
      const { ask } = fromNewNetwork()
      const allowed = { origin: ALLOWED }
      assert.strictEqual(
        (yield* ask("/scores", { headers: allowed })).headers["access-control-allow-origin"],
        ALLOWED,
      )
      assert.isUndefined((yield* ask("/scores")).headers["access-control-allow-origin"])
      assert.strictEqual(
        (yield* ask("/nowhere", { headers: allowed })).headers["access-control-allow-origin"],
        ALLOWED,
      )
      const preflight = {
        method: "OPTIONS",
        headers: { ...allowed, "access-control-request-method": "POST" },
      }
      const { result, arrived } = yield* origin.during(
        Effect.all(Array.from({ length: 5 }, () => ask("/scores/increment", preflight))),
      )
      assert.strictEqual(result[0]?.headers["access-control-allow-origin"], ALLOWED)
      assert.deepStrictEqual(
        arrived.map(({ method }) => method),
        ["OPTIONS"],
      )
    }),
  )

  it.effect("passes an unknown query on as it is, not kept, a few times for all clients together", () =>
    Effect.gen(function* () {
      const { origin } = yield* World
      const { ask } = fromNewNetwork()
      const { result, arrived } = yield* origin.during(
        Effect.all(Array.from({ length: 20 }, (_, n) => ask(`/scores/page?top=${n}&limit=5`))),
      )
      // A window of the limit can end in between.
      assert.isAtMost(arrived.length, 10)
      assert.strictEqual(arrived[0]?.target, "/scores/page?top=0&limit=5")
      const refused = result.filter(({ status }) => status === 429)
      assert.strictEqual(refused.length, 20 - arrived.length)
      for (const answer of refused) {
        assert.strictEqual(answer.headers["retry-after"], "10")
        problemOf(answer)
      }
    }),
  )

  it.effect(
    "bounds made-up cursors, file names and preflights of them, per network and for all; the first page and the board stay",
    () =>
      Effect.gen(function* () {
        const { origin } = yield* World
        const page = (from: number, n: number) => fromNetwork(from).ask(`/scores/page?after=${n}.${from}.1`)
        let passed = 0
        while ((yield* page(199, passed)).status !== 429) passed++
        // Limits for 10 s, which may end in between: 20 for a network, 30 for all.
        assert.isAtMost(passed, 40)
        assert.strictEqual((yield* page(198, 0)).status, 200)
        const pages = (from: number) => Effect.all(Array.from({ length: 21 }, (_, n) => page(from, n)))
        const attack = [200, 201, 202, 203, 204, 205]
        const { arrived } = yield* origin.during(Effect.all(attack.map(pages), { concurrency: 6 }))
        assert.isAtMost(arrived.length, 100)
        const honest = fromNewNetwork()
        assert.strictEqual((yield* honest.ask("/scores/page")).status, 200)
        assert.strictEqual((yield* honest.ask("/scores")).status, 200)
        assert.strictEqual((yield* honest.ask("/assets/none.js")).status, 404)
        const files = Array.from({ length: 41 }, (_, n) => honest.ask(`/assets/${n}.js`))
        assert.isAtMost((yield* origin.during(Effect.all(files, { concurrency: 6 }))).arrived.length, 40)
        const preflight = {
          method: "OPTIONS",
          headers: { origin: ALLOWED, "access-control-request-method": "POST" },
        }
        const other = fromNewNetwork()
        const asked = Array.from({ length: 41 }, (_, n) => other.ask(`/assets/${n}.css`, preflight))
        assert.isAtMost((yield* origin.during(Effect.all(asked, { concurrency: 6 }))).arrived.length, 40)
      }),
  )

  it.effect("limits signing in by network", () =>
    Effect.gen(function* () {
      const login = ({ ask }: ReturnType<typeof fromNewNetwork>) =>
        ask("/users/auth/login", { method: "POST", body: "{}" })
      const one = fromNewNetwork()
      let passed = 0
      while ((yield* login(one)).status !== 429) passed++
      // Twice the limit, if a minute ends in between.
      assert.isAtMost(passed, 240)
      assert.strictEqual((yield* login(fromNewNetwork())).status, 200)
    }),
  )

  it.effect("passes WebSockets through with the page's own origin, and their close codes back", () =>
    Effect.gen(function* () {
      const { origin, edge } = yield* World
      const headers = { "cf-connecting-ip": "203.0.113.7", origin: edge, "x-edge-secret": "guess" }
      const { arrived } = yield* origin.during(
        Effect.gen(function* () {
          const viewer = yield* openViewer(`${edge}/scores/websocket?stamped`, headers)
          yield* viewer.until((frame) => frame === "hello")
          for (const socket of origin.sockets) socket.send("more")
          yield* viewer.until((frame) => frame === "more")
          for (const socket of origin.sockets) socket.close(1012)
          assert.strictEqual(yield* viewer.closed, 1012)
          yield* openViewer(`${edge}/scores/websocket`, { ...headers, origin: "https://evil.example" })
        }),
      )
      assert.deepStrictEqual(
        arrived.map(({ target, headers: { origin: from } }) => [target, from]),
        [
          ["/scores/websocket?stamped", origin.url],
          ["/scores/websocket", "https://evil.example"],
        ],
      )
      assert.deepInclude(arrived[0]?.headers, {
        "x-edge-secret": EDGE_SECRET,
        "x-forwarded-for": "203.0.113.7",
      })
    }),
  )

  it.effect("lets the origin feel a viewer who does not read, and stores little for it", () =>
    Effect.gen(function* () {
      const { origin, edge } = yield* World
      const viewer = yield* openViewer(`${edge}/scores/websocket`)
      yield* viewer.until((frame) => frame === "hello")
      viewer.socket.pause()
      const waiting = () => Math.max(...Array.from(origin.sockets, ({ bufferedAmount }) => bufferedAmount))
      const board = "x".repeat(64 * 1024)
      let sent = 0
      // The kernels' buffers take some megabytes; then frames wait at the origin, which skips and cuts such a viewer. What
      // was only just sent waits for a moment as well, so a stall is what is still there after a pause.
      let isStalled = false
      while (!isStalled && sent++ < 64) {
        for (const socket of origin.sockets) for (let n = 0; n < 16; n++) socket.send(board)
        yield* Effect.sleep("50 millis")
        const before = waiting()
        yield* Effect.sleep("100 millis")
        isStalled = before >= 1024 * 1024 && waiting() === before
      }
      assert.isTrue(isStalled, "64 MB were taken for a viewer who reads nothing")
    }).pipe(Effect.scoped),
  )

  away(it)
})
