import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { connect } from "node:net"
import { ApiServer } from "../../../../src/programs/http/ApiServer.ts"
import { api, ask, Engine } from "./fixtures.ts"
import { timedRunning } from "../../../support/stalls.ts"

const OPTIONS = { timeout: "60 seconds", excludeTestServices: true } as const

/** Begins a request and goes on with a byte every half second; gives what comes back until the other side hangs up. */
const drip = (port: number, start: string) =>
  Effect.callback<string, Error>((resume) => {
    const chunks: Array<Buffer> = []
    const socket = connect({ host: "127.0.0.1", port }, () => socket.write(start))
    const timer = setInterval(() => socket.write("x"), 500)
    socket.on("data", (chunk: Buffer) => chunks.push(chunk))
    // What is written after the other side hung up.
    socket.on("error", () => socket.destroy())
    socket.on("close", () => {
      clearInterval(timer)
      resume(Effect.succeed(Buffer.concat(chunks).toString()))
    })
    return Effect.sync(() => socket.destroy())
  })

layer(Engine.layer, OPTIONS)("Slow clients", (it) => {
  it.effect("what sends its headers or its body too slowly is cut, and others are served meanwhile", () =>
    Effect.gen(function* () {
      const { port } = yield* ApiServer
      const post = [
        "POST /users/auth/login HTTP/1.1",
        "Host: x",
        "Content-Type: application/json",
        "Content-Length: 100",
        "",
        "{",
      ].join("\r\n")
      const slow = Effect.all(
        [
          timedRunning(drip(port, "GET /scores HTTP/1.1\r\nHost: x\r\nX-Slow: ")),
          timedRunning(drip(port, post)),
        ],
        { concurrency: 2 },
      )
      const others = Effect.gen(function* () {
        for (let n = 0; n < 10; n++) {
          const [elapsed, answer] = yield* timedRunning(ask("/scores"))
          assert.strictEqual(answer.status, 200)
          assert.isBelow(elapsed, 1_000)
          yield* Effect.sleep("500 millis")
        }
      })
      const [[headers, body]] = yield* Effect.all([slow, others], { concurrency: 2 })
      assert.match(headers[1], /^HTTP\/1\.1 408 /)
      assert.isBelow(headers[0], 13_000)
      assert.match(body[1], /^HTTP\/1\.1 408 /)
      assert.isBelow(body[0], 18_000)
    }).pipe(Effect.provide(api())),
  )
})
