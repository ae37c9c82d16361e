import * as Effect from "effect/Effect"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { type WebSocket, WebSocketServer } from "ws"
import { listen } from "../../support/engines/listen.ts"

/** A request as the origin got it. */
export interface Arrived {
  readonly method: string
  readonly target: string
  readonly headers: IncomingMessage["headers"]
  readonly body: string
}

/** The tag of the board in its state. */
export const tagOf = (version: number) => `"epoch-${version}"`

const read = async (request: IncomingMessage) => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) if (chunk instanceof Buffer) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

/** An origin that does little, and remembers everything that reaches it. */
export const makeOrigin = Effect.gen(function* () {
  const arrived: Array<Arrived> = []
  const sockets = new Set<WebSocket>()
  const state = { version: 1, status: 200 as number | "hang up" }

  const respond = (request: IncomingMessage, response: ServerResponse) => {
    const path = (request.url ?? "").split("?")[0]
    const id = request.headers["x-request-id"] ?? "none"
    const common = { "x-request-id": id, "content-security-policy": "default-src 'none'", vary: "Origin" }
    if (path === "/assets/none.js") return response.writeHead(404, common).end()
    if (state.status !== 200 && typeof state.status === "number") {
      return response
        .writeHead(state.status, { ...common, "content-type": "text/html" })
        .end("<h1>proxy</h1>")
    }
    const etag = tagOf(state.version)
    if (request.headers["if-none-match"] === etag) return response.writeHead(304, { ...common, etag }).end()
    const from = request.headers.origin
    response.writeHead(200, {
      ...common,
      etag,
      "content-type": "application/json",
      "cache-control": "public, max-age=1, stale-while-revalidate=5",
      ...(from === undefined ? {} : { "access-control-allow-origin": from }),
    })
    return response.end(`{"scores":[],"version":${state.version}}`)
  }
  const server = createServer((request, response) => {
    void read(request).then((body) => {
      arrived.push({
        method: request.method ?? "",
        target: request.url ?? "",
        headers: request.headers,
        body,
      })
      if (state.status === "hang up") request.socket.destroy()
      else respond(request, response)
    })
  })
  const hub = new WebSocketServer({ noServer: true })
  server.on("upgrade", (request, socket, head) => {
    arrived.push({ method: "UPGRADE", target: request.url ?? "", headers: request.headers, body: "" })
    if (state.status === "hang up") {
      socket.destroy()
      return
    }
    hub.handleUpgrade(request, socket, head, (opened) => {
      sockets.add(opened)
      opened.on("close", () => sockets.delete(opened))
      opened.send("hello")
    })
  })
  const port = yield* listen(server, () => {
    server.closeAllConnections()
    for (const socket of sockets) socket.terminate()
  })
  return {
    url: `http://127.0.0.1:${port}`,
    arrived,
    sockets,
    state,
    /** What reached the origin while an effect ran. */
    during: <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      Effect.suspend(() => {
        const before = arrived.length
        return Effect.map(effect, (result) => ({ result, arrived: arrived.slice(before) }))
      }),
  }
})
