import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { connections, cuts, eventually, fill, leaveAll, pause, say, startHub, wait } from "./fixtures.ts"
import { CLOSE, clientFrame, PING, PONG, TEXT } from "./peerFixtures.ts"
import { timedRunning } from "../../../support/stalls.ts"

describe("SocketHub", () => {
  it.live("cuts a reader behind with more than 64 KiB unread", () =>
    Effect.gen(function* () {
      const { hub, peer, sockets } = yield* startHub()
      const slow = yield* peer()
      const before = yield* cuts("unread")
      slow.socket.pause()
      const huge = (version: number) => `${version} ${"x".repeat(200_000)}`
      yield* fill(hub, sockets[0], huge)
      // Behind with the second, over the cap with the third.
      yield* say(hub, huge(-1))
      yield* say(hub, huge(-2))
      yield* eventually(
        Effect.map(connections, (open) => open === 0),
        "the cut",
      )
      assert.strictEqual((yield* cuts("unread")) - before, 1)
    }),
  )

  it.live(
    "resets whom it cuts: unread bytes do not wait in the kernel for a peer that may never read them",
    () =>
      Effect.gen(function* () {
        const { hub, peer, sockets } = yield* startHub()
        const slow = yield* peer()
        let failure: string | undefined
        slow.socket.on("error", (error: NodeJS.ErrnoException) => {
          failure = error.code
        })
        slow.socket.pause()
        const huge = (version: number) => `${version} ${"x".repeat(200_000)}`
        yield* fill(hub, sockets[0], huge)
        yield* say(hub, huge(-1))
        yield* say(hub, huge(-2))
        yield* eventually(
          Effect.map(connections, (open) => open === 0),
          "the cut",
        )
        slow.socket.resume()
        yield* wait(slow.closed)
        assert.strictEqual(failure, "ECONNRESET")
      }),
  )

  it.effect(
    "cuts who answers no ping or sends pongs that answer none, and keeps who answers, also late",
    () =>
      Effect.gen(function* () {
        const { peer } = yield* startHub()
        const before = yield* cuts("silent")
        const silent = yield* peer()
        const blind = yield* peer()
        const alive = yield* peer()
        const late = yield* peer()
        const pings = ({ frames }: typeof alive) => frames.filter(({ opcode }) => opcode === PING)
        for (let round = 1; round <= 6; round++) {
          yield* TestClock.adjust("20 seconds")
          for (const each of [alive, late])
            yield* wait(() => each.until(() => pings(each).length === round, "a ping"))
          blind.socket.write(clientFrame(PONG, Buffer.alloc(round % 2 === 0 ? 0 : 4)))
          alive.socket.write(clientFrame(PONG, pings(alive)[round - 1]?.payload ?? Buffer.alloc(0)))
          // Two at a time, and only the first of them.
          if (round % 2 === 0)
            late.socket.write(clientFrame(PONG, pings(late)[round - 2]?.payload ?? Buffer.alloc(0)))
          yield* pause(20)
        }
        yield* wait(silent.closed)
        yield* wait(blind.closed)
        assert.isFalse(alive.isClosed())
        assert.isFalse(late.isClosed())
        assert.strictEqual(pings(silent).length, 2)
        assert.strictEqual(new Set(pings(alive).map(({ payload }) => payload.toString("hex"))).size, 6)
        assert.strictEqual((yield* cuts("silent")) - before, 2)
        assert.strictEqual(yield* connections, 2)
        yield* leaveAll([alive, late])
      }),
  )

  it.effect("cuts who reads nothing, whatever it sends, and writes it no more pings", () =>
    Effect.gen(function* () {
      const { hub, peer, sockets } = yield* startHub()
      const before = yield* cuts("unread")
      const mute = yield* peer()
      mute.socket.pause()
      yield* fill(hub, sockets[0], (version) => `${version} ${"x".repeat(20_000)}`)
      const unread = sockets[0]?.writableLength
      mute.socket.write(clientFrame(PONG, Buffer.alloc(0)))
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual(sockets[0]?.writableLength, unread)
      assert.strictEqual(yield* connections, 1)
      mute.socket.write(clientFrame(PONG, Buffer.alloc(0)))
      yield* TestClock.adjust("20 seconds")
      yield* eventually(
        Effect.map(connections, (open) => open === 0),
        "the cut",
      )
      assert.strictEqual((yield* cuts("unread")) - before, 1)
    }),
  )

  it.live("refuses more than its limits with 429 per address and 503 in all, and takes others again", () =>
    Effect.gen(function* () {
      const { peer } = yield* startHub({
        WEBSOCKET_MAX_PER_ADDRESS: "2",
        WEBSOCKET_MAX_CONNECTIONS: "3",
      })
      const first = yield* peer()
      yield* peer()
      const third = yield* peer()
      assert.strictEqual(third.status, 429)
      assert.include(third.head, "Retry-After: 5")
      assert.strictEqual((yield* peer({ from: "127.0.0.2" })).status, 101)
      assert.strictEqual((yield* peer({ from: "127.0.0.3" })).status, 503)
      first.socket.destroy()
      yield* eventually(
        Effect.map(connections, (open) => open === 2),
        "the end of one",
      )
      assert.strictEqual((yield* peer()).status, 101)
    }),
  )

  for (const [what, bytes, code] of [
    ["a message over 1 KiB", clientFrame(TEXT, Buffer.alloc(1025, "x")), 1009],
    [
      "fragments over 1 KiB together",
      Buffer.concat([
        clientFrame(TEXT, Buffer.alloc(600, "x"), { final: false }),
        clientFrame(0, Buffer.alloc(600, "x")),
      ]),
      1009,
    ],
    ["an unmasked frame", Buffer.from([0x81, 0x01, 0x61]), 1002],
    ["a reserved opcode", clientFrame(0x3, Buffer.alloc(0)), 1002],
    ["a compressed frame", Buffer.from([0xc1, 0x80, 0, 0, 0, 0]), 1002],
    ["text that is not UTF-8", clientFrame(TEXT, Buffer.from([0xff, 0xfe])), 1007],
    ["a fragmented ping", clientFrame(PING, Buffer.alloc(0), { final: false }), 1002],
    ["noise", Buffer.from("GET / HTTP/1.1\r\n\r\n"), 1002],
  ] as const) {
    it.live(`closes only the socket that sends ${what}`, () =>
      Effect.gen(function* () {
        const { hub, peer } = yield* startHub()
        const good = yield* peer()
        const bad = yield* peer()
        bad.socket.write(bytes)
        yield* wait(bad.closed)
        assert.strictEqual(bad.closeCode(), code)
        yield* eventually(
          Effect.map(connections, (open) => open === 1),
          "the end of one",
        )
        yield* say(hub, "still here")
        yield* wait(() => good.heard("still here"))
      }),
    )
  }

  it.live("closes everybody with 1012, spread, takes nobody new, and cuts who never answers", () =>
    Effect.gen(function* () {
      const { hub, peer, sockets } = yield* startHub({ WEBSOCKET_MAX_PER_ADDRESS: "1000" })
      const peers = yield* Effect.forEach(Array.from({ length: 300 }), () => peer(), { concurrency: 50 })
      const before = yield* cuts("drain")
      const closedAt: Array<number> = []
      const deaf = new Set(peers.slice(0, 3))
      for (const each of peers) {
        if (deaf.has(each)) each.socket.pause()
        else
          each.socket.on("data", () => {
            if (each.closeCode() !== 1012) return
            closedAt.push(performance.now())
            each.socket.write(clientFrame(CLOSE, Buffer.from([0x03, 0xf4])))
          })
      }
      const draining = yield* Effect.forkScoped(timedRunning(hub.drain(Duration.seconds(2))))
      yield* pause(20)
      assert.strictEqual((yield* peer()).status, 503)
      const [elapsed] = yield* Fiber.join(draining)
      // 1 ms per socket for 300, then a second for those that do not answer.
      assert.isBelow(elapsed, 3000)
      assert.strictEqual(closedAt.length, 297)
      assert.isAbove(Math.max(...closedAt) - Math.min(...closedAt), 200)
      assert.strictEqual((yield* cuts("drain")) - before, 3)
      assert.strictEqual(yield* connections, 0)
      for (const side of sockets.slice(0, 300)) assert.isTrue(side.destroyed)
    }),
  )

  it.live("leaves no socket, timer or listener when its scope ends", () =>
    Effect.gen(function* () {
      const timersBefore = process.getActiveResourcesInfo().filter((name) => name === "Timeout").length
      const { hub, peer, sockets, close } = yield* startHub()
      const peers = yield* Effect.forEach(Array.from({ length: 20 }), () => peer(), { concurrency: 20 })
      peers[0]?.socket.pause()
      yield* say(hub, "board")
      yield* close
      for (const each of peers.slice(1)) yield* wait(each.closed)
      const sides = sockets.slice(0, 20)
      yield* eventually(
        Effect.sync(() => sides.every((side) => side.destroyed && side.listenerCount("data") === 0)),
        "the end of every socket",
      )
      const timers = process.getActiveResourcesInfo().filter((name) => name === "Timeout").length
      assert.isAtMost(timers, timersBefore)
    }),
  )
})
