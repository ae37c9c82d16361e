import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { connections, fill, pause, say, STAMPED, startHub, versions, wait } from "./fixtures.ts"
import { clientFrame, PING, PONG, TEXT } from "./peerFixtures.ts"

describe("SocketHub", () => {
  it.live("sends one text to everybody, and the newest to who comes later", () =>
    Effect.gen(function* () {
      const { hub, peer } = yield* startHub()
      const early = yield* peer()
      assert.strictEqual(early.status, 101)
      yield* say(hub, "one")
      yield* wait(() => early.heard("one"))
      const late = yield* peer()
      yield* wait(() => late.heard("one"))
      yield* say(hub, "two")
      for (const each of [early, late]) {
        yield* wait(() => each.heard("two"))
        assert.deepStrictEqual(each.texts(), ["one", "two"])
      }
      assert.strictEqual(yield* connections, 2)
    }),
  )

  it.live("gives who comes before the broadcast of a text that text, and at the broadcast nothing more", () =>
    Effect.gen(function* () {
      const { hub, peer } = yield* startHub()
      yield* say(hub, "one")
      const early = yield* peer()
      yield* wait(() => early.heard("one"))
      yield* hub.hold(() => "two")
      const late = yield* peer()
      yield* wait(() => late.heard("two"))
      assert.deepStrictEqual(early.texts(), ["one"])
      yield* hub.broadcast
      yield* wait(() => early.heard("two"))
      yield* say(hub, "three")
      for (const each of [early, late]) yield* wait(() => each.heard("three"))
      assert.deepStrictEqual(early.texts(), ["one", "two", "three"])
      assert.deepStrictEqual(late.texts(), ["two", "three"])
    }),
  )

  it.live("sends a text that is held again to everybody again", () =>
    Effect.gen(function* () {
      const { hub, peer } = yield* startHub()
      const one = yield* peer()
      yield* say(hub, "one")
      yield* say(hub, "one")
      yield* say(hub, "end")
      yield* wait(() => one.heard("end"))
      assert.deepStrictEqual(one.texts(), ["one", "one", "end"])
    }),
  )

  it.live("sends each socket the form it asked for, and makes a form once, when it is first needed", () =>
    Effect.gen(function* () {
      const { hub, peer } = yield* startHub()
      const made: Array<string> = []
      const speak = (text: string) =>
        Effect.andThen(
          hub.hold((form) => {
            made.push(`${form} ${text}`)
            return `${form} ${text}`
          }),
          hub.broadcast,
        )
      const plain = yield* Effect.all([peer(), peer()])
      yield* speak("one")
      for (const each of plain) yield* wait(() => each.heard("plain one"))
      assert.deepStrictEqual(made, ["plain one"])
      const stamped = yield* Effect.all([peer({ path: STAMPED }), peer({ path: STAMPED })])
      for (const each of stamped) yield* wait(() => each.heard("stamped one"))
      yield* speak("two")
      for (const each of plain) yield* wait(() => each.heard("plain two"))
      for (const each of stamped) yield* wait(() => each.heard("stamped two"))
      assert.deepStrictEqual(made, ["plain one", "stamped one", "plain two", "stamped two"])
    }),
  )

  it.live("frames texts of every length form of RFC 6455", () =>
    Effect.gen(function* () {
      const { hub, peer } = yield* startHub()
      const one = yield* peer()
      const texts = [0, 125, 126, 65_535, 65_536, 200_000].map((length) =>
        "é".repeat(length / 2 + (length % 2)),
      )
      for (const text of texts) {
        yield* say(hub, text)
        yield* wait(() => one.heard(text))
      }
      assert.deepStrictEqual(one.texts(), texts)
    }),
  )

  it.live("gives a reader that fell behind only the newest, and keeps at most one board for it", () =>
    Effect.gen(function* () {
      const { hub, peer, sockets } = yield* startHub()
      const slow = yield* peer()
      const side = sockets[0]
      slow.socket.pause()
      const stuckAt = yield* fill(hub, side, (version) => `${version} ${"x".repeat(20_000)}`)
      const unread = side?.writableLength ?? 0
      for (let version = stuckAt + 1; version <= stuckAt + 300; version++) {
        yield* say(hub, `${version} ${"x".repeat(20_000)}`)
      }
      assert.isAtMost(side?.writableLength ?? 0, unread)
      assert.isAtMost(unread, 21_000)
      slow.socket.resume()
      yield* wait(() => slow.until(() => versions(slow).at(-1) === stuckAt + 300, "the newest board"))
      const seen = versions(slow)
      assert.deepStrictEqual(seen.slice(-2), [stuckAt, stuckAt + 300])
      assert.deepStrictEqual(
        seen,
        seen.toSorted((a, b) => a - b),
      )
      yield* say(hub, "last")
      yield* wait(() => slow.heard("last"))
    }),
  )

  it.live("gives newcomers during a broadcast exactly the newest, once, and never an older one", () =>
    Effect.gen(function* () {
      const { hub, peer } = yield* startHub({ WEBSOCKET_MAX_PER_ADDRESS: "1000" })
      yield* Effect.forEach(Array.from({ length: 300 }), () => peer(), { concurrency: 50, discard: true })
      yield* say(hub, "0 ")
      const sender = yield* Effect.forkScoped(
        Effect.gen(function* () {
          for (let version = 1; version <= 100; version++) {
            yield* say(hub, `${version} `)
            yield* pause(2)
          }
        }),
      )
      const newcomers = yield* Effect.forEach(Array.from({ length: 100 }), () => peer(), { concurrency: 5 })
      yield* Fiber.join(sender)
      for (const newcomer of newcomers) {
        yield* wait(() => newcomer.heard("100 "))
        const [first = 0, ...rest] = versions(newcomer)
        assert.deepStrictEqual(
          rest,
          Array.from({ length: 100 - first }, (_, n) => first + 1 + n),
        )
      }
    }),
  )

  it.live("reaches everybody with the newest when a broadcast is overtaken by the next", () =>
    Effect.gen(function* () {
      const { hub, peer } = yield* startHub({ WEBSOCKET_MAX_PER_ADDRESS: "1000" })
      const peers = yield* Effect.forEach(Array.from({ length: 200 }), () => peer(), { concurrency: 50 })
      yield* Effect.all([say(hub, "1 "), say(hub, "2 "), say(hub, "3 ")], {
        concurrency: "unbounded",
      })
      for (const each of peers) {
        yield* wait(() => each.heard("3 "))
        assert.deepStrictEqual(
          versions(each),
          versions(each).toSorted((a, b) => a - b),
        )
      }
    }),
  )

  it.live("lets requests be answered between the chunks of a broadcast", () =>
    Effect.gen(function* () {
      const { hub, peer, port } = yield* startHub({ WEBSOCKET_MAX_PER_ADDRESS: "2000" })
      yield* Effect.forEach(Array.from({ length: 1000 }), () => peer(), { concurrency: 50, discard: true })
      const ended = new AbortController()
      const answers = yield* Effect.forkScoped(
        Effect.promise(async () => {
          let during = 0
          while (!ended.signal.aborted) {
            await (await fetch(`http://127.0.0.1:${port}/`)).text()
            if (!ended.signal.aborted) during++
          }
          return during
        }),
      )
      yield* pause(50)
      // Each overtakes nothing: a broadcast is awaited, as the programs do.
      for (let version = 0; version < 20; version++) yield* say(hub, `${version} `)
      ended.abort()
      assert.isAbove(yield* Fiber.join(answers), 5)
    }),
  )

  it.live("takes frames that come with the handshake, and answers a client's ping", () =>
    Effect.gen(function* () {
      const { hub, peer } = yield* startHub()
      yield* say(hub, "board")
      const eager = yield* peer({ early: clientFrame(PING, Buffer.from("hello")) })
      yield* wait(() => eager.until(() => eager.frames.length === 2, "a pong"))
      assert.deepStrictEqual(
        eager.frames.map(({ opcode, payload }) => [opcode, payload.toString()]),
        [
          [TEXT, "board"],
          [PONG, "hello"],
        ],
      )
    }),
  )
})
