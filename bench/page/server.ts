import { once } from "node:events"
import { readFile } from "node:fs/promises"
import { createServer } from "node:http"
import { extname, join } from "node:path"
import { WebSocketServer } from "ws"

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
}

/** Ten players, each at another pace: every few updates somebody overtakes somebody. */
const boardAt = (update: number): string => {
  const scores = Array.from({ length: 10 }, (_, player) => ({
    email: `player-${player}@example.com`,
    score: 1_000 + Math.floor(update * (1 + player / 10) + 60 * Math.sin(update / (3 + player))),
  }))
  return JSON.stringify({ scores: scores.toSorted((a, b) => b.score - a.score) })
}

/** The built page and a live board that changes every so often unless it is held, on a free port of loopback. */
export const serve = async (folder: string, updateMillis: number) => {
  let update = 0
  const http = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname
    if (path === "/scores")
      return void response.setHeader("content-type", "application/json").end(boardAt(update))
    const file = path === "/" ? "index.html" : path.slice(1)
    readFile(join(folder, file)).then(
      (bytes) => response.setHeader("content-type", TYPES[extname(file)] ?? "text/plain").end(bytes),
      () => response.writeHead(404).end(),
    )
  })
  const sockets = new WebSocketServer({ server: http, path: "/scores/websocket" })
  sockets.on("connection", (socket) => socket.send(boardAt(update)))
  let isHeld = false
  const timer = setInterval(() => {
    if (isHeld) return
    update++
    for (const socket of sockets.clients) socket.send(boardAt(update))
  }, updateMillis)
  await once(http.listen(0, "127.0.0.1"), "listening")
  const address = http.address()
  if (address === null || typeof address === "string") throw new Error("The server has no port")
  const stop = async () => {
    clearInterval(timer)
    for (const socket of sockets.clients) socket.terminate()
    http.closeAllConnections()
    await once(http.close(), "close")
  }
  return {
    url: `http://127.0.0.1:${address.port}`,
    updates: () => update,
    hold: (held: boolean) => void (isHeld = held),
    stop,
  }
}
