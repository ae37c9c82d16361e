import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { chromium } from "playwright-core"
import { build } from "vite"
import { type Classes, countClasses, grown, type Heap, lookAt } from "./page/heap.ts"
import { trace } from "./page/mainThread.ts"
import { serve } from "./page/server.ts"

/**
 * What it costs to leave the page open: `node bench/page.ts [minutes] [updates per second]` (10 and 1 when left out).
 * Updates with changes of place, in Chromium: what the main thread does for one; ten times the heap after a
 * collection, and what is alive in it; then the classes of which there are more and more. Needs no running server,
 * only `chromium` (another path: the variable CHROMIUM).
 */

const MINUTES = Number(process.argv[2] ?? 10)
const UPDATE_MILLIS = 1_000 / Number(process.argv[3] ?? 1)
const LOOKS = 10
/** Until every movement of the last update has ended: what moves is alive, and no leak. */
const STILL_MILLIS = 3_000
/** How long the work of the main thread is recorded: a recording takes memory. */
const TRACE_MILLIS = 30_000
/** Until compiled code and caches have their size. */
const WARM_UP_MILLIS = 30_000

const pause = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

/** How steep the line is that fits the points best. */
const slopeOf = (points: ReadonlyArray<readonly [x: number, y: number]>): number => {
  const mean = (of: (point: readonly [number, number]) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length
  const [x, y] = [mean((point) => point[0]), mean((point) => point[1])]
  return mean((point) => (point[0] - x) * (point[1] - y)) / mean((point) => (point[0] - x) ** 2)
}

const folder = await mkdtemp(join(tmpdir(), "scoreboard-page-"))
const root = join(import.meta.dirname, "..")
await build({ configFile: join(root, "web/vite.config.ts"), build: { outDir: folder }, logLevel: "warn" })
const server = await serve(folder, UPDATE_MILLIS)
const browser = await chromium.launch({
  executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
})
try {
  const page = await browser.newPage({ viewport: { width: 1_280, height: 800 } })
  const cdp = await page.context().newCDPSession(page)
  await page.goto(server.url)
  await pause(WARM_UP_MILLIS)

  const stopTrace = await trace(cdp)
  const tracedFrom = server.updates()
  await pause(TRACE_MILLIS)
  const work = Object.entries(await stopTrace())
  const traced = server.updates() - tracedFrom
  console.log(`processor time of the main thread, ms per update over ${traced} updates:`)
  console.log(work.map(([kind, millis]) => `${kind} ${(millis / traced).toFixed(2)}`).join(", "))

  const looks: Array<Heap & { readonly update: number }> = []
  const classes: Array<Classes> = []
  console.log("\nupdates  heap KiB  nodes  listeners")
  const first = server.updates()
  for (let time = 0; time <= LOOKS; time++) {
    if (time > 0) await pause((MINUTES * 60_000) / LOOKS)
    server.hold(true)
    await pause(STILL_MILLIS)
    const heap = await lookAt(cdp)
    const update = server.updates() - first
    looks.push({ ...heap, update })
    console.log([update, (heap.bytes / 1_024).toFixed(1), heap.nodes, heap.listeners].join("\t"))
    // A snapshot leaves something behind itself: the first look is before the first snapshot.
    if (time % (LOOKS / 2) === 0) {
      const counted = await countClasses(cdp)
      classes.push(counted)
      const detached = [...counted].filter(([label]) => label.startsWith("detached "))
      console.log(`  detached nodes: ${detached.reduce((sum, [, [count]]) => sum + count, 0)}`)
    }
    server.hold(false)
  }
  const settled = looks.slice(LOOKS / 2)
  const growth = (1_000 * slopeOf(settled.map(({ update, bytes }) => [update, bytes]))) / 1_024
  console.log(`\nin the second half: ${growth.toFixed(1)} KiB per 1,000 updates`)

  console.log("\nclasses that grew in both halves: count at first, in the middle, in the end; bytes gained")
  for (const { label, counts, bytes } of grown(classes).slice(0, 20)) {
    console.log([counts.join(" "), bytes, label].join("\t"))
  }
} finally {
  await browser.close()
  await server.stop()
  await rm(folder, { recursive: true, force: true })
}
