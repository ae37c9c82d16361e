import { assert, layer } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { connect } from "node:net"
import { encodePublicBoard } from "../../../../src/domain/Messages.ts"
import { ApiServer } from "../../../../src/programs/http/ApiServer.ts"
import { Redis } from "../../../../src/services/Redis/Redis.ts"
import { exchange, openViewer, request, until } from "../../../support/fixtures.ts"
import {
  api,
  type ApiOptions,
  ask,
  checkAnswer,
  Engine,
  increment,
  Log,
  origin,
  signIn,
  sqlWith,
} from "./apiFixtures.ts"

const PATH = "/scores/websocket"
const MANAGEMENT = /"Health and metrics are served".*"port":(\d+)/
const OPTIONS = { timeout: "30 seconds", excludeTestServices: true } as const

const upgradeRequest = (path: string, extra: ReadonlyArray<string> = []) =>
  [
    `GET ${path} HTTP/1.1`,
    "Host: 127.0.0.1",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ...extra,
    "\r\n",
  ].join("\r\n")

const view = Effect.flatMap(origin, (url) => openViewer(`${url}${PATH}`))

/** Publishes a board, as a worker does. */
const publish = (version: number, email: string) =>
  Effect.flatMap(Redis, (redis) => {
    const scores = [{ email, score: version }]
    const board = { scores, epoch: "epoch", version, committedAt: 1 }
    return Effect.as(redis.writeBoard({ ...board, json: JSON.stringify(board) }), encodePublicBoard(scores))
  })

/** An API that the test stops itself. */
const stoppable = Effect.fnUntraced(function* (options: ApiOptions) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const services = yield* Layer.build(api(options)).pipe(Scope.provide(scope))
  const stop = Effect.forkChild(Effect.timed(Scope.close(scope, Exit.void)), { startImmediately: true })
  return { services, stop, port: Context.get(services, ApiServer).port }
})

layer(Engine.layer, OPTIONS)("API", (it) => {
  it.layer(api({ env: { WEBSOCKET_MAX_PER_ADDRESS: "3" } }))("socket", (it) => {
    it.effect("sends the board on connect and one frame per change, exactly as the brief has it", () =>
      Effect.gen(function* () {
        const viewer = yield* view
        assert.strictEqual(yield* viewer.until((frame) => frame !== ""), '{"scores":[]}')
        const first = yield* publish(1, "ada@example.com")
        assert.strictEqual(first, '{"scores":[{"email":"ada@example.com","score":1}]}')
        yield* viewer.until((frame) => frame === first)
        const second = yield* publish(2, "Grace Ünïcode <grace@example.com>")
        yield* viewer.until((frame) => frame === second)
        const late = yield* view
        yield* late.until((frame) => frame === second)
        assert.deepStrictEqual(viewer.frames, ['{"scores":[]}', first, second])
        assert.deepStrictEqual(late.frames, [second])
      }),
    )

    it.effect("adds the stamp for who asks, the one that GET /scores has in its tag", () =>
      Effect.gen(function* () {
        const viewer = yield* Effect.flatMap(origin, (url) => openViewer(`${url}${PATH}?stamped`))
        const stamped = (board: string, version: number) =>
          `${board.slice(0, -1)},"epoch":"epoch","version":${version}}`
        for (const version of [100, 101]) {
          const plain = yield* publish(version, "ada@example.com")
          yield* viewer.until((frame) => frame === stamped(plain, version))
          const { headers, body } = yield* ask("/scores")
          assert.deepStrictEqual([headers.etag, body], [`"epoch-${version}"`, plain])
        }
      }),
    )

    it.effect("is refused past the limit of one address: 429", () =>
      Effect.gen(function* () {
        yield* Effect.all([view, view, view])
        const refused = yield* Effect.flip(view)
        assert.isFalse(refused instanceof Error)
        if (refused instanceof Error) return
        assert.strictEqual(checkAnswer(refused).status, 429)
        assert.match(String(refused.headers["retry-after"]), /^\d+$/)
      }),
    )

    it.effect("is free again when a viewer has left", () =>
      Effect.gen(function* () {
        const opened = yield* until(
          "all places are free",
          Effect.exit(Effect.all([view, view, view])),
          Exit.isSuccess,
        )
        assert.isTrue(Exit.isSuccess(opened))
      }),
    )

    it.effect("is refused on any other path: 404", () =>
      Effect.gen(function* () {
        const { port } = yield* ApiServer
        for (const path of ["/", "/scores", "/scores/websocket/", "/scores/websockets", "/nowhere"]) {
          const answer = yield* exchange(port, upgradeRequest(path))
          assert.match(answer, /^HTTP\/1\.1 404 /, path)
          assert.match(answer, /\r\nx-request-id: [\w.-]+\r\n/i)
        }
      }),
    )

    it.effect("takes a request to upgrade to anything else for the plain request it is", () =>
      Effect.gen(function* () {
        const { port } = yield* ApiServer
        const offers = upgradeRequest("/scores", ["HTTP2-Settings: AAMAAABkAAQAAP__"])
          .replace("Connection: Upgrade", "Connection: Upgrade, HTTP2-Settings, close")
          .replace("Upgrade: websocket", "Upgrade: h2c")
        assert.match(yield* exchange(port, offers), /^HTTP\/1\.1 200 OK\r\n/)
        assert.match(yield* exchange(port, offers.replace("/scores", PATH)), /^HTTP\/1\.1 426 /)
      }),
    )

    it.effect("answers a handshake that is none with 400, with an id", () =>
      Effect.gen(function* () {
        const { port } = yield* ApiServer
        const broken = upgradeRequest(PATH).replace(
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
          "X-Nothing: 1",
        )
        const answer = yield* exchange(port, broken)
        assert.match(answer, /^HTTP\/1\.1 400 /)
        assert.match(answer, /\r\nx-request-id: [\w.-]+\r\n/i)
      }),
    )

    it.effect("closes on what a viewer may not send, and serves the others", () =>
      Effect.gen(function* () {
        const [bad, good] = yield* Effect.all([view, view])
        bad.socket.send("x".repeat(2000))
        assert.strictEqual(yield* bad.closed, 1009)
        const next = yield* publish(102, "ada@example.com")
        yield* good.until((frame) => frame === next)
        assert.strictEqual((yield* ask("/scores")).body, next)
      }),
    )
  })

  it.effect("stops: what is in flight is answered, newcomers are refused, viewers told to come back", () =>
    Effect.gen(function* () {
      const { services, stop, port } = yield* stoppable({
        env: { MANAGEMENT_PORT: "0" },
        replacing: sqlWith((real) => ({
          increment: (batch) => Effect.delay(real.increment(batch), "700 millis"),
        })),
      })
      yield* Effect.gen(function* () {
        const token = yield* signIn()
        const viewer = yield* view
        const inFlight = yield* Effect.forkChild(increment(token), { startImmediately: true })
        // A connection that is in the middle of a request is not idle: it can still ask to upgrade.
        const late = connect({ host: "127.0.0.1", port })
        const [firstLine, rest] = [upgradeRequest(PATH).slice(0, 10), upgradeRequest(PATH).slice(10)]
        late.write(firstLine)
        let lateAnswer = ""
        late.on("data", (chunk: Buffer) => (lateAnswer += chunk.toString()))
        yield* Effect.sleep("200 millis")

        const stopping = yield* stop
        yield* until(
          "connections are refused",
          Effect.exit(request(`http://127.0.0.1:${port}/scores`)),
          Exit.isFailure,
        )
        const management = (yield* Log).flatMap((line) => MANAGEMENT.exec(line)?.[1] ?? [])
        const health = (path: string) => request(`http://127.0.0.1:${management[0]}/health/${path}`)
        const ready = yield* health("ready")
        assert.strictEqual(ready.status, 503)
        assert.include(ready.body, '"status":"draining"')
        assert.strictEqual((yield* health("live")).status, 200)
        late.write(rest)
        yield* until(
          "an answer to the late upgrade",
          Effect.sync(() => lateAnswer),
          (answer) => answer !== "",
        )
        assert.match(lateAnswer, /^HTTP\/1\.1 503 [^]*\r\nRetry-After: \d+\r\n/)
        assert.strictEqual(yield* viewer.closed, 1012)
        const answer = yield* Fiber.join(inFlight)
        assert.deepStrictEqual([answer.status, answer.body], [200, '{"message":"Score incremented"}'])
        yield* Fiber.join(stopping)
      }).pipe(Effect.provideContext(services))
    }),
  )

  it.effect("stops within two seconds beside a viewer that never answers the close frame", () =>
    Effect.gen(function* () {
      const { stop, port } = yield* stoppable({})
      const deaf = yield* Effect.acquireRelease(
        Effect.sync(() => connect({ host: "127.0.0.1", port, allowHalfOpen: true })),
        (socket) => Effect.sync(() => socket.destroy()),
      )
      let heard = Buffer.alloc(0)
      deaf.on("data", (chunk: Buffer) => (heard = Buffer.concat([heard, chunk])))
      deaf.write(upgradeRequest(PATH))
      yield* until(
        "the first frame",
        Effect.sync(() => heard.includes('{"scores":[]}')),
        Boolean,
      )
      const started = yield* Clock.currentTimeMillis
      yield* Effect.flatMap(stop, Fiber.join)
      assert.isBelow((yield* Clock.currentTimeMillis) - started, 2_000)
      assert.isTrue(heard.includes(Buffer.from([0x03, 0xf4])), "the close frame says 1012")
    }),
  )
})
