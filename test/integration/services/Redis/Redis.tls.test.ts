import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { once } from "node:events"
import { createServer } from "node:tls"
import { Redis } from "../../../../src/services/Redis/Redis.ts"
import * as RedisServer from "../../../../src/services/Redis/RedisServer.ts"

/** A TLS server that reads the name in each ClientHello. It has no certificate, so every handshake ends after that. */
const startTlsServer = Effect.gen(function* () {
  const seen = { connections: 0, names: new Array<string>() }
  const server = yield* Effect.acquireRelease(
    Effect.promise(async () => {
      const opened = createServer({
        SNICallback: (name, done) => {
          seen.names.push(name)
          done(null)
        },
      })
      opened.on("connection", () => (seen.connections += 1))
      opened.on("tlsClientError", (_error, socket) => socket.destroy())
      await once(opened.listen(0), "listening")
      return opened
    }),
    (opened) => Effect.promise(() => once(opened.close(), "close")),
  )
  const address = server.address()
  if (address === null || typeof address === "string") return yield* Effect.die("A TCP server without a port")
  return { port: address.port, seen }
})

describe("rediss://", () => {
  for (const { host, name } of [
    { host: "localhost", name: "localhost" },
    { host: "127.0.0.1", name: undefined },
    { host: "[::1]", name: undefined },
  ])
    it.live(`sends ${name === undefined ? "no server name to an address" : "the server name"}: ${host}`, () =>
      Effect.gen(function* () {
        const { port, seen } = yield* startTlsServer
        const env = ConfigProvider.layer(
          ConfigProvider.fromEnvRecord({ REDIS_URL: `rediss://${host}:${port}` }),
        )
        const failure = yield* Effect.flatMap(Redis, ({ ping }) => Effect.flip(ping)).pipe(
          Effect.provide(RedisServer.layer.pipe(Layer.provide(env))),
        )
        assert.strictEqual(failure._tag, "RedisFailure")
        assert.isAbove(seen.connections, 0)
        assert.deepStrictEqual(new Set(seen.names), new Set(name === undefined ? [] : [name]))
      }),
    )
})
