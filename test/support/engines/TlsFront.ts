import * as Effect from "effect/Effect"
import { request, type IncomingMessage, type OutgoingHttpHeaders } from "node:http"
import { createServer } from "node:https"
import type { Socket } from "node:net"
import { type Certificate, makeCertificate } from "./Certificate.ts"
import { listen } from "./listen.ts"

/** A proxy of an operator in front of an API: it speaks TLS with clients, and plain HTTP with the API. */
export interface TlsFront {
  /** https://127.0.0.1:port */
  readonly url: string
  readonly port: number
  readonly certificate: Certificate
}

/** What a proxy says of the client: it appends the address that it sees, and replaces what the client says of TLS. */
const forwarded = ({ headers, socket }: IncomingMessage): OutgoingHttpHeaders => {
  const claimed = headers["x-forwarded-for"]
  const own = socket.remoteAddress ?? ""
  return {
    ...headers,
    "x-forwarded-for": claimed === undefined ? own : `${String(claimed)}, ${own}`,
    "x-forwarded-proto": "https",
  }
}

/** Starts the proxy on a free port, in front of a port of 127.0.0.1; gone with the scope. */
export const startTlsFront = Effect.fnUntraced(function* (target: number) {
  const certificate = makeCertificate()
  const sockets = new Set<Socket>()
  const track = (socket: Socket) => {
    sockets.add(socket)
    socket.on("error", () => undefined)
    socket.on("close", () => sockets.delete(socket))
  }
  const pass = (received: IncomingMessage) =>
    request({
      host: "127.0.0.1",
      port: target,
      method: received.method ?? "GET",
      path: received.url ?? "/",
      headers: forwarded(received),
      agent: false,
    })

  const server = createServer(certificate, (received, response) => {
    const sent = pass(received)
    sent.on("response", (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    sent.on("error", () => response.destroy())
    response.on("close", () => sent.destroy())
    received.pipe(sent)
  })
  server.on("secureConnection", track)
  const headOf = ({ statusCode, statusMessage, rawHeaders }: IncomingMessage) => {
    const lines = rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${rawHeaders[at + 1]}`] : []))
    return [`HTTP/1.1 ${statusCode} ${statusMessage}`, ...lines, "", ""].join("\r\n")
  }
  server.on("upgrade", (received: IncomingMessage, client: Socket, first: Buffer) => {
    const sent = pass(received)
    sent.on("upgrade", (answer, upstream, head) => {
      track(upstream)
      client.write(headOf(answer))
      client.write(head)
      upstream.write(first)
      client.pipe(upstream).pipe(client)
      client.on("close", () => upstream.destroy())
      upstream.on("close", () => client.destroy())
    })
    sent.on("response", (answer) => {
      client.write(headOf(answer))
      answer.pipe(client)
    })
    sent.on("error", () => client.destroy())
    sent.end()
  })
  const port = yield* listen(server, () => {
    for (const socket of sockets) socket.destroy()
  })
  const front: TlsFront = { url: `https://127.0.0.1:${port}`, port, certificate }
  return front
})
