import { once } from "node:events"
import { connect, createServer, type Socket } from "node:net"
import * as Effect from "effect/Effect"

/** What pgbouncer passes on to PostgreSQL without being told to. */
const KNOWN = new Set(["user", "database", "client_encoding", "application_name"])

const PROTOCOL_3 = 196_608

/** The parameters of a startup packet: names and values, each ended by a NUL. */
const parametersOf = (packet: Buffer) => {
  const texts = packet.subarray(8, -2).toString("utf8").split("\0")
  return Array.from(
    { length: texts.length / 2 },
    (_, n) => [texts[2 * n] ?? "", texts[2 * n + 1] ?? ""] as const,
  )
}

const startupPacket = (parameters: ReadonlyArray<readonly [string, string]>) => {
  const body = Buffer.from(`${parameters.flat().join("\0")}\0\0`)
  const head = Buffer.alloc(8)
  head.writeInt32BE(body.length + 8, 0)
  head.writeInt32BE(PROTOCOL_3, 4)
  return Buffer.concat([head, body])
}

/** An ErrorResponse: the fields, each with its letter, in the words of pgbouncer. */
const refusalOf = (name: string) => {
  const body = Buffer.from(`SFATAL\0C08P01\0Munsupported startup parameter: ${name}\0\0`)
  const head = Buffer.alloc(5)
  head.write("E", 0)
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

const onStartup = (client: Socket, target: number, mode: "refuses" | "ignores") => (packet: Buffer) => {
  const parameters = parametersOf(packet)
  const foreign = parameters.find(([name]) => !KNOWN.has(name))
  if (mode === "refuses" && foreign !== undefined) return client.end(refusalOf(foreign[0]))
  const server = connect({ host: "127.0.0.1", port: target })
  server.on("error", () => client.destroy())
  server.on("close", () => client.destroy())
  client.on("close", () => server.destroy())
  server.write(startupPacket(parameters.filter(([name]) => KNOWN.has(name))))
  client.pipe(server)
  server.pipe(client)
  return server
}

/**
 * A pooler in front of a PostgreSQL on loopback, as far as startup parameters go: it refuses them, as pgbouncer does, or
 * ignores them, as pgbouncer does with `ignore_startup_parameters`. Gives its port; gone with the scope.
 */
export const make = Effect.fnUntraced(function* (target: number, mode: "refuses" | "ignores") {
  const clients = new Set<Socket>()
  const server = createServer((client) => {
    clients.add(client)
    client.on("error", () => client.destroy())
    client.on("close", () => clients.delete(client))
    // The packet of a client on loopback arrives as one chunk.
    client.once("data", onStartup(client, target, mode))
  })
  yield* Effect.acquireRelease(
    Effect.promise(() => once(server.listen(0, "127.0.0.1"), "listening")),
    () =>
      Effect.promise(async () => {
        for (const client of clients) client.destroy()
        await once(server.close(), "close")
      }),
  )
  const address = server.address()
  if (address === null || typeof address === "string") return yield* Effect.die("A TCP server without a port")
  return address.port
})
