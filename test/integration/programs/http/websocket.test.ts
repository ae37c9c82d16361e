import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { encodePublicBoard } from "../../../../src/domain/Messages.ts"
import { ApiServer } from "../../../../src/programs/http/ApiServer.ts"
import { Redis } from "../../../../src/services/Redis/Redis.ts"
import { Sql } from "../../../../src/services/Sql/Sql.ts"
import { exchange, openViewer, until } from "../../../support/fixtures.ts"
import { api, ask, checkAnswer, Engine, origin, SOCKET_PATH, upgradeRequest, view } from "./fixtures.ts"

const OPTIONS = { timeout: "30 seconds", excludeTestServices: true } as const

/** The stamp of a board that is this much later than the one in PostgreSQL. */
const stampOf = (ahead: number) =>
  Effect.flatMap(Sql, (sql) =>
    Effect.map(Effect.orDie(sql.top(1)), ({ epoch, version }) => ({ epoch, version: version + ahead })),
  )

/** Publishes a board with this score, as a worker does. */
const publish = Effect.fnUntraced(function* (score: number, email: string) {
  const redis = yield* Redis
  const scores = [{ email, score }]
  const board = { scores, ...(yield* stampOf(score)), committedAt: 1 }
  yield* redis.writeBoard({ ...board, json: JSON.stringify(board) })
  return encodePublicBoard(scores)
})

layer(Engine.layer, OPTIONS)("/scores/websocket", (it) => {
  it.layer(api({ env: { WEBSOCKET_MAX_PER_ADDRESS: "3" } }))("with three places per address", (it) => {
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
        const viewer = yield* Effect.flatMap(origin, (url) => openViewer(`${url}${SOCKET_PATH}?stamped`))
        for (const score of [100, 101]) {
          const plain = yield* publish(score, "ada@example.com")
          const { epoch, version } = yield* stampOf(score)
          const stamped = `${plain.slice(0, -1)},"epoch":"${epoch}","version":${version}}`
          yield* viewer.until((frame) => frame === stamped)
          const { headers, body } = yield* ask("/scores")
          assert.deepStrictEqual([headers.etag, body], [`"${epoch}-${version}"`, plain])
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
        assert.match(yield* exchange(port, offers.replace("/scores", SOCKET_PATH)), /^HTTP\/1\.1 426 /)
      }),
    )

    it.effect("answers a handshake that is none with 400, with an id", () =>
      Effect.gen(function* () {
        const { port } = yield* ApiServer
        const broken = upgradeRequest(SOCKET_PATH).replace(
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

  it.layer(api({ env: { WEBSOCKET_MAX_PER_ADDRESS: "2", TRUSTED_PROXY_HOPS: "1" } }))(
    "with a cap per address",
    (it) => {
      it.effect("sockets are counted by the address that the proxy names", () =>
        Effect.gen(function* () {
          const url = `${yield* origin}${SOCKET_PATH}`
          const from = (address: string) => openViewer(url, { "x-forwarded-for": `9.9.9.9, ${address}` })
          yield* from("1.1.1.1")
          yield* from("1.1.1.1")
          const refused = yield* Effect.flip(from("1.1.1.1"))
          assert.propertyVal(refused, "status", 429)
          yield* from("2.2.2.2")
        }),
      )
    },
  )
})
