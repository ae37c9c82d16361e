import { assert, type Vitest } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { accessSync, constants } from "node:fs"
import { delimiter, join } from "node:path"
import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from "playwright-core"
import { build } from "vite"
import { spawn } from "../../support/engines/ChildProcess.ts"
import { engineFolder } from "../../support/engines/runFolder.ts"
import { ROOT } from "../fixtures.ts"

/** How long a test waits for something to appear on a page, in ms. */
const PATIENCE_MILLIS = 15_000

/** Without these flags, the browser would contact other servers or wait for a display. */
const CHROMIUM_FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
]

const findChromium = (): string => {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    try {
      const path = join(folder, "chromium")
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // Not in this folder.
    }
  }
  throw new Error("chromium is not on PATH; install it: apt-get install chromium")
}

const launchBrowser = Effect.acquireRelease(
  Effect.promise(() => chromium.launch({ executablePath: findChromium(), args: CHROMIUM_FLAGS })),
  (browser) => Effect.promise(() => browser.close()),
)

/** Builds the page as `npm run web:build` does, into `dist/web` of a folder. */
const buildPage = (folder: string) =>
  Effect.promise(() =>
    build({
      configFile: join(ROOT, "web/vite.config.ts"),
      build: { outDir: join(folder, "dist/web"), reportCompressedSize: false },
      logLevel: "warn",
    }),
  )

/** Runs the whole product as `npm start` does, in a folder that contains the page, until the scope ends. */
export const startLocal = Effect.fnUntraced(function* (
  folder: string,
  port = 0,
  settings: Readonly<Record<string, string>> = {},
) {
  const child = yield* spawn({
    command: process.execPath,
    args: [join(ROOT, "src/main-local.ts")],
    cwd: folder,
    env: {
      PATH: process.env["PATH"],
      HOME: process.env["HOME"],
      PORT: String(port),
      LOG_FORMAT: "json",
      ...settings,
    },
    readyWhen: /Score board\s+http:\/\/[^:]+:(\d+)/,
    readyWithinMillis: 30_000,
    stopWithinMillis: 15_000,
  })
  return { child, port: Number(child.ready[1]), url: `http://127.0.0.1:${child.ready[1]}` }
})

export interface Credentials {
  readonly email: string
  readonly password: string
}

// The players of `npm start`.
export const ADA: Credentials = { email: "ada@example.com", password: "scoreboard" }
export const GRACE: Credentials = { email: "grace@example.com", password: "scoreboard" }
export const LINUS: Credentials = { email: "linus@example.com", password: "scoreboard" }

/** The running product with its page, and a browser. All tests of the page share them. */
export class Product extends Context.Service<
  Product,
  {
    readonly url: string
    readonly browser: Browser
    /** The working folder: the page is in `dist/web`, the data in `.data`. */
    readonly folder: string
  }
>()("test/e2e/Product") {
  static readonly layer = Layer.effect(
    Product,
    Effect.gen(function* () {
      const folder = yield* engineFolder("scoreboard-local-")
      const [browser] = yield* Effect.all([launchBrowser, buildPage(folder)], { concurrency: 2 })
      const { url } = yield* startLocal(folder)
      return { url, browser, folder }
    }),
  )
}

/** A group of tests of the page. Scores carry over from test to test. */
export type Suite = (it: Vitest.MethodsNonLive<Product>) => void

/** What a page records about itself, from its start. */
interface Notes {
  /** What the content security policy has blocked. */
  readonly violations: Array<string>
  /** All layout shifts, including those after an input: how large, and what moved. */
  readonly layoutShifts: Array<string>
  /** The players whose rows were animated. */
  readonly glides: Array<string>
}

/** A browser's `LayoutShift` entry, which the DOM types lack. */
interface LayoutShift {
  readonly value: number
  readonly sources: ReadonlyArray<{ readonly node?: Node | null }>
}

declare global {
  interface Window {
    notes: Notes
  }
}

const takeNotes = () => {
  const notes: Notes = { violations: [], layoutShifts: [], glides: [] }
  window.notes = notes
  document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => {
    notes.violations.push(`${violatedDirective} ${blockedURI}`)
  })
  const isShift = (entry: PerformanceEntry): entry is PerformanceEntry & LayoutShift => "sources" in entry
  new PerformanceObserver((list) => {
    for (const { value, sources } of list.getEntries().filter(isShift)) {
      const moved = sources.map(({ node }) => (node instanceof Element ? node.outerHTML : node?.textContent))
      notes.layoutShifts.push(`${value}: ${moved.join(", ")}`)
    }
  }).observe({ type: "layout-shift", buffered: true })
  const { animate } = Element.prototype
  Element.prototype.animate = function (...args) {
    const row = this.getAttribute("data-row")
    if (row !== null) notes.glides.push(row.replace(/^\d+ /, ""))
    return animate.apply(this, args)
  }
}

export interface OpenOptions extends BrowserContextOptions {
  /** `/` when left out. */
  readonly path?: string
  /** Runs before the page is opened, for requests that the test answers. */
  readonly before?: (page: Page) => Promise<void>
}

/**
 * Opens a page in its own browser profile. When the scope ends, the test fails if anything on the page threw or if the
 * content security policy blocked anything.
 */
export const openPage = Effect.fnUntraced(function* (
  { browser, url }: { readonly browser: Browser; readonly url: string },
  { path = "/", before, ...options }: OpenOptions = {},
) {
  const errors: Array<string> = []
  const context = yield* Effect.acquireRelease(
    Effect.promise(() => browser.newContext({ locale: "en-GB", ...options })),
    (opened) => Effect.promise(() => opened.close()),
  )
  const page = yield* Effect.promise(async () => {
    context.setDefaultTimeout(PATIENCE_MILLIS)
    const opened = await context.newPage()
    opened.on("pageerror", (error) => errors.push(String(error)))
    await opened.addInitScript(takeNotes)
    await before?.(opened)
    await opened.goto(url + path)
    return opened
  })
  yield* Effect.addFinalizer(() =>
    Effect.promise(async () => {
      assert.deepStrictEqual(errors, [])
      assert.deepStrictEqual(await page.evaluate(() => window.notes.violations), [])
    }),
  )
  return page
})

/** Waits until an element is visible. */
export const seen = (locator: Locator): Promise<void> => locator.waitFor({ state: "visible" })

/** Waits until the page shows this state of its connection. */
export const connection = (page: Page, state: string): Promise<void> =>
  seen(page.locator(`[data-state="${state}"]`))

/** Waits until the row of this rank shows this player, with this score. */
export const row = (page: Page, rank: number, email: string, score: number): Promise<void> =>
  seen(
    page.locator(`[data-rank="${rank}"]`, {
      hasText: new RegExp(`${email}.*Score ${score}(?:\\+\\d+)?$`, "s"),
    }),
  )

/** Signs in with the form. Returns the score that the page then shows beside the board. */
export const signInOn = async (page: Page, { email, password }: Credentials): Promise<number> => {
  await page.getByLabel("E-mail").fill(email)
  await page.getByLabel("Password").fill(password)
  await page.getByRole("button", { name: "Sign in", exact: true }).click()
  return Number(await ownCount(page).innerText())
}

export const scoreButton = (page: Page): Locator => page.getByRole("button", { name: "Score a point" })

const ownCount = (page: Page) => page.locator(".own-score .count > span:first-child")

/** Waits until the player's own score beside the board is this. */
export const ownScore = (page: Page, score: number): Promise<void> =>
  seen(ownCount(page).and(page.getByText(String(score), { exact: true })))
