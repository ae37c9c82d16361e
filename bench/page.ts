import { once } from "node:events"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { extname, join } from "node:path"
import { type CDPSession, chromium } from "playwright-core"
import { build } from "vite"
import { WebSocketServer } from "ws"

/**
 * What it costs to leave the page open: `node bench/page.ts [minutes]` (10 when left out). One update a second with
 * changes of place, in Chromium; every minute the heap after a collection, at the end the frames and the processor
 * time of the tab. Needs no running server, only `chromium` (another path: the variable CHROMIUM).
 */

const MINUTES = Number(process.argv[2] ?? 10)
const UPDATE_MILLIS = 1_000
/** Until compiled code and caches have their size. */
const WARM_UP_MILLIS = 30_000
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
}

const pause = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

/** Ten players, each at another pace: every few updates somebody overtakes somebody. */
const boardAt = (update: number): string => {
  const scores = Array.from({ length: 10 }, (_, player) => ({
    email: `player-${player}@example.com`,
    score: 1_000 + Math.floor(update * (1 + player / 10) + 60 * Math.sin(update / (3 + player))),
  }))
  return JSON.stringify({ scores: scores.toSorted((a, b) => b.score - a.score) })
}

/** The built page and a live board, on a free port of loopback. */
const serve = async (folder: string) => {
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
  const timer = setInterval(() => {
    update++
    for (const socket of sockets.clients) socket.send(boardAt(update))
  }, UPDATE_MILLIS)
  await once(http.listen(0, "127.0.0.1"), "listening")
  const address = http.address()
  if (address === null || typeof address === "string") throw new Error("The server has no port")
  const stop = async () => {
    clearInterval(timer)
    for (const socket of sockets.clients) socket.terminate()
    http.closeAllConnections()
    await once(http.close(), "close")
  }
  return { url: `http://127.0.0.1:${address.port}`, updates: () => update, stop }
}

/** The tab now: heap in use after a collection, and what is alive in it. */
const look = async (cdp: CDPSession) => {
  await cdp.send("HeapProfiler.collectGarbage")
  const { usedSize } = await cdp.send("Runtime.getHeapUsage")
  const { metrics } = await cdp.send("Performance.getMetrics")
  const value = (name: string) => metrics.find((metric) => metric.name === name)?.value ?? Number.NaN
  return {
    heapMiB: usedSize / 2 ** 20,
    nodes: value("Nodes"),
    listeners: value("JSEventListeners"),
    /** Processor time of the tab's process, all threads. */
    cpuSeconds: value("ProcessTime"),
    at: value("Timestamp"),
  }
}

/** Counts the frames of the tab until the returned function is called. */
const countFrames = async (cdp: CDPSession) => {
  const frames = { drawn: 0, dropped: 0 }
  cdp.on("Tracing.dataCollected", ({ value }) => {
    for (const { name } of value as ReadonlyArray<{ readonly name?: string }>) {
      if (name === "DrawFrame") frames.drawn++
      if (name === "DroppedFrame") frames.dropped++
    }
  })
  await cdp.send("Tracing.start", {
    transferMode: "ReportEvents",
    bufferUsageReportingInterval: 60_000,
    traceConfig: {
      recordMode: "recordContinuously",
      includedCategories: ["disabled-by-default-devtools.timeline.frame", "devtools.timeline.frame"],
    },
  })
  return async () => {
    const complete = new Promise((resolve) => cdp.once("Tracing.tracingComplete", resolve))
    await cdp.send("Tracing.end")
    await complete
    return frames
  }
}

const folder = await mkdtemp(join(tmpdir(), "scoreboard-page-"))
const root = join(import.meta.dirname, "..")
await build({ configFile: join(root, "web/vite.config.ts"), build: { outDir: folder }, logLevel: "warn" })
const server = await serve(folder)
const browser = await chromium.launch({
  executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
})
try {
  const page = await browser.newPage({ viewport: { width: 1_280, height: 800 } })
  const cdp = await page.context().newCDPSession(page)
  await cdp.send("Performance.enable")
  await page.goto(server.url)
  await pause(WARM_UP_MILLIS)
  const stopFrames = await countFrames(cdp)
  const start = await look(cdp)
  const updatesBefore = server.updates()
  console.log("minute  heap MiB  nodes  listeners")
  for (let minute = 0; ; minute++) {
    const { heapMiB, nodes, listeners } = await look(cdp)
    console.log([minute, heapMiB.toFixed(3), nodes, listeners].join("\t"))
    if (minute === MINUTES) break
    await pause(60_000)
  }
  const end = await look(cdp)
  const frames = await stopFrames()
  const cpu = (100 * (end.cpuSeconds - start.cpuSeconds)) / (end.at - start.at)
  console.log(
    `${server.updates() - updatesBefore} updates; the tab takes ${cpu.toFixed(1)} % of a processor; ` +
      `${frames.drawn} frames drawn, ${frames.dropped} dropped`,
  )
} finally {
  await browser.close()
  await server.stop()
  await rm(folder, { recursive: true, force: true })
}
