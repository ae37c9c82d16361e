import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { symlink } from "node:fs/promises"
import { join } from "node:path"
import type { Page } from "playwright-core"
import { freePort } from "../../support/engines/freePort.ts"
import * as TcpProxy from "../../support/engines/TcpProxy.ts"
import { engineFolder } from "../../support/engines/runFolder.ts"
import { increment, signIn } from "../fixtures.ts"
import { ADA, connection, openPage, Product, row, seen, startLocal, type Suite } from "./fixtures.ts"
import { boardOf } from "./scenes.ts"

/** Marks this document. The mark is gone after a reload. */
const mark = (page: Page) => page.evaluate(() => document.body.setAttribute("data-mark", ""))
const isSameDocument = (page: Page) => page.evaluate(() => document.body.hasAttribute("data-mark"))

export const live: Suite = (it) => {
  it.effect("asks again for a script and a style that an old server does not have", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const { browser, url } = yield* Product
      const page = yield* openPage(
        { browser, url },
        {
          before: async (opened) => {
            opened.on("request", (sent) => asked.push(sent.url().replace(url, "")))
            // As the real server answers for a file that it does not have.
            for (const files of [/\/assets\/.*\.js$/, /\/assets\/.*\.css$/, /\.js\?try=1$/]) {
              await opened.route(files, async (route) =>
                route.fulfill({ response: await route.fetch({ url: `${url}/assets/none` }) }),
              )
            }
          },
        },
      )
      yield* Effect.promise(async () => {
        await connection(page, "live")
        await page.waitForFunction(() => getComputedStyle(document.body).margin === "0px")
        assert.isFalse(await page.getByText("could not be loaded").isVisible())
      })
      const files = asked.filter((path) => path.startsWith("/assets/"))
      const tries = new Set(files.map((path) => path.replace(/.*\.(?=js|css)/, "")))
      assert.deepStrictEqual([...tries].toSorted(), ["css", "css?try=1", "js", "js?try=1", "js?try=2"])
    }),
  )

  it.effect(
    "says that the page could not be loaded after a few attempts, and reloads it after a minute",
    () =>
      Effect.gen(function* () {
        let asked = 0
        let loads = 0
        const page = yield* openPage(yield* Product, {
          before: async (opened) => {
            await opened.clock.install()
            opened.on("domcontentloaded", () => loads++)
            await opened.route("**/assets/**.js*", (route) => {
              asked++
              return route.fulfill({ status: 404 })
            })
          },
        })
        yield* Effect.promise(async () => {
          const sentence = page.getByRole("alert").filter({ hasText: "could not be loaded" })
          while (!(await sentence.isVisible())) await page.clock.runFor(1_000)
          assert.strictEqual(asked, 6)
          assert.strictEqual(loads, 1)
          await page.unroute("**/assets/**.js*")
          await page.clock.fastForward(61_000)
          await connection(page, "live")
          assert.strictEqual(loads, 2)
          assert.isFalse(await sentence.isVisible())
        })
      }),
  )

  it.effect("says how old the board is while a cache answers for a server that is away", () =>
    Effect.gen(function* () {
      const page = yield* openPage(yield* Product, {
        before: async (opened) => {
          const headers = { age: "75" }
          await opened.route("**/scores", (route) => route.fulfill({ headers, json: { scores: boardOf(3) } }))
          await opened.routeWebSocket("**/scores/websocket?stamped", (socket) => socket.close())
        },
      })
      yield* Effect.promise(async () => {
        await seen(page.locator("[data-state=polling]", { hasText: "Delayed" }))
        await seen(page.locator("[data-state=polling] .age", { hasText: /as of 1 min/ }))
      })
    }),
  )

  it.effect("shows its state through every loss of the server, and always catches up by itself", () =>
    Effect.gen(function* () {
      const { folder: built, browser } = yield* Product
      const folder = yield* engineFolder("scoreboard-local-")
      yield* Effect.promise(() => symlink(join(built, "dist"), join(folder, "dist")))
      const port = yield* freePort
      const first = yield* startLocal(folder, port)
      const proxy = yield* TcpProxy.make(port)
      const page = yield* openPage({ browser, url: `http://127.0.0.1:${proxy.port}` })
      const token = yield* signIn(first.url, ADA)
      const score = Effect.andThen(increment(first.url, token), Effect.void)
      const says = (state: string) => Effect.promise(() => connection(page, state))
      const shows = (count: number) => Effect.promise(() => row(page, 1, ADA.email, count))

      yield* score
      yield* says("live")
      yield* shows(1)
      yield* Effect.promise(() => mark(page))

      // The network between page and server is cut and restored.
      yield* proxy.refuse
      yield* says("reconnecting")
      yield* score
      yield* proxy.forward
      yield* says("live")
      yield* shows(2)

      // The device goes offline and online.
      yield* Effect.promise(() => page.context().setOffline(true))
      yield* says("offline")
      yield* score
      yield* Effect.promise(() => page.context().setOffline(false))
      yield* says("live")
      yield* shows(3)

      // The server restarts with its data.
      yield* first.child.stop
      yield* says("reconnecting")
      yield* startLocal(folder, port)
      yield* says("live")
      yield* score
      yield* shows(4)

      assert.isTrue(yield* Effect.promise(() => isSameDocument(page)))
    }),
  )
}
