import { assert } from "@effect/vitest"
import axe from "axe-core"
import * as Effect from "effect/Effect"
import { readdirSync, readFileSync } from "node:fs"
import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import type { Page } from "playwright-core"
import { gzipSync } from "node:zlib"
import { until } from "../../support/fixtures.ts"
import { ROOT } from "../fixtures.ts"
import { connection, openPage, Product, seen, type Suite } from "./fixtures.ts"
import { actAs, boardOf, SCENES, serveBoard } from "./scenes.ts"

/** The folder for screenshots of all states, set by `npm run screenshots`. Two of them are also used by the README. */
const SCREENSHOTS = process.env["SCREENSHOTS"]
const README_SCENE = "signed in"

/** The rules that depend on the theme. */
const COLOURS = ["color-contrast"]

const violations = async (page: Page, rules?: ReadonlyArray<string>) => {
  const options = rules === undefined ? {} : { runOnly: [...rules] }
  const { violations: found } = await page.evaluate((only) => window.axe.run(only), options)
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`)
}

/** Waits until all animations have ended, or skips to their end if only that matters. */
const isStill = async (page: Page, how: "wait" | "skip" = "skip") => {
  await page.waitForLoadState("load")
  await page.evaluate(async (skip) => {
    const moving = document
      .getAnimations()
      .filter(({ effect }) => effect?.getComputedTiming().iterations === 1)
    if (skip) for (const animation of moving) animation.finish()
    await Promise.all(moving.map(({ finished }) => finished.catch(() => undefined)))
  }, how === "skip")
}

/** The numbers that are wider than their row or card, or leave no room for the name beside them. Runs in the page. */
const cutNumbers = () =>
  [...document.querySelectorAll(".count > span:first-child")]
    .filter((number) => {
      const place = number.closest(".row, .standing")
      const name = place?.querySelector(".player")
      const box = place?.getBoundingClientRect()
      const { left, right } = number.getBoundingClientRect()
      const isCut = box !== undefined && (left < box.left || right > box.right)
      return isCut || (name && name.getBoundingClientRect().width < 80)
    })
    .map(({ textContent }) => textContent)

/** What the translators of browsers do: they replace each text node by elements of their own. Runs in the page. */
const translate = () => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  const texts: Array<Text> = []
  while (walker.nextNode()) if (walker.currentNode instanceof Text) texts.push(walker.currentNode)
  for (const text of texts) {
    const template = document.createElement("template")
    template.innerHTML = "<font><font></font></font>"
    template.content.querySelector("font font")?.append(text.data)
    text.replaceWith(template.content)
  }
}

const keepPicture = async (page: Page, name: string, theme: string) => {
  if (SCREENSHOTS === undefined) return
  const folder = join(ROOT, SCREENSHOTS)
  await mkdir(folder, { recursive: true })
  await page.screenshot({ path: join(folder, `${name.replaceAll(" ", "-")}-${theme}.png`) })
  if (name === README_SCENE) await page.screenshot({ path: join(ROOT, `docs/board-${theme}.png`) })
}

declare global {
  interface Window {
    axe: typeof axe
    /** The states of the connection that a test has seen. */
    states: Array<string>
  }
}

export const states: Suite = (it) => {
  for (const scene of SCENES) {
    it.effect(`has no accessibility violation: ${scene.name}`, () =>
      Effect.gen(function* () {
        const page = yield* openPage(yield* Product, { ...scene.options, before: scene.arrange })
        yield* Effect.promise(async () => {
          await scene.act?.(page)
          await seen(scene.shows(page))
          await page.evaluate(axe.source)
          for (const colorScheme of ["dark", "light"] as const) {
            await page.emulateMedia({ colorScheme })
            await isStill(page)
            await keepPicture(page, scene.name, colorScheme)
            assert.deepStrictEqual(await violations(page, colorScheme === "dark" ? undefined : COLOURS), [])
          }
          const overflow = await page.evaluate(
            () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
          )
          assert.strictEqual(overflow, 0, "wider than the screen")
          assert.deepStrictEqual(await page.evaluate(cutNumbers), [])
        })
      }),
    )
  }

  it.effect("shifts no layout while players change places, numbers grow and places fill", () =>
    Effect.gen(function* () {
      const board = serveBoard(boardOf(7))
      const page = yield* openPage(yield* Product, { before: board.arrange })
      yield* Effect.promise(async () => {
        await connection(page, "live")
        await actAs(page, "grace@example.com")
        await seen(page.getByText("2nd of 1.2 million"))
        await isStill(page, "wait")
        await page.evaluate(() => (window.notes.layoutShifts.length = 0))
        for (let update = 1; update <= 30; update++) {
          const scores = boardOf(Math.min(10, 7 + (update >> 3))).map(({ email, score }, place) => ({
            email,
            score: score + ((update * 7_919 * (place + 3)) % 9_000),
          }))
          board.show(scores.toSorted((a, b) => b.score - a.score))
          await seen(page.locator("[data-rank='1']", { hasText: board.leader() }))
        }
        await isStill(page, "wait")
        assert.deepStrictEqual(await page.evaluate(() => window.notes.layoutShifts), [])
        assert.isAbove(await page.evaluate(() => window.notes.glides.length), 30)
      })
    }),
  )

  it.effect("moves nothing for viewers who prefer less motion, and ends the same", () =>
    Effect.gen(function* () {
      const board = serveBoard(boardOf(10))
      const page = yield* openPage(yield* Product, { before: board.arrange, reducedMotion: "reduce" })
      yield* Effect.promise(async () => {
        await seen(page.locator("[data-rank='1']", { hasText: board.leader() }))
        board.show(
          boardOf(10)
            .toReversed()
            .map(({ email }, place) => ({ email, score: 90 - place })),
        )
        await seen(page.locator("[data-rank='1']", { hasText: board.leader() }))
        assert.deepStrictEqual(await page.evaluate(() => window.notes.glides), [])
        assert.strictEqual(await page.evaluate(() => document.getAnimations().length), 0)
        const text = await page.locator("[data-rank='1'] .count").innerText()
        assert.match(text, /^90/)
      })
    }),
  )

  it.effect("polls the board while the socket is refused, and says so", () =>
    Effect.gen(function* () {
      const page = yield* openPage(yield* Product, {
        before: (opened) => opened.routeWebSocket("**/scores/websocket?stamped", (socket) => socket.close()),
      })
      yield* Effect.promise(() => connection(page, "polling"))
    }),
  )

  it.effect("marks the row that the server names, not another player's with the same address", () =>
    Effect.gen(function* () {
      const email = "same@example.com"
      const board = serveBoard([7, 5, 3].map((score) => ({ email, score })))
      board.stamp(7)
      const page = yield* openPage(yield* Product, { before: board.arrange })
      yield* Effect.promise(async () => {
        const standing = { score: 5, rank: 2, players: 3, percentile: 67 }
        await actAs(page, "My.Name", { ...standing, place: 2, epoch: "e", version: 7 })
        await seen(page.locator("[data-rank='2'][data-own='true']"))
        await seen(page.getByText("2nd of 3"))
        board.stamp(8)
        board.show([9, 6, 5].map((score) => ({ email, score })))
        await seen(page.locator("[data-rank='1']", { hasText: "Score 9" }))
        assert.strictEqual(await page.locator("[data-own='true']").count(), 0)
      })
    }),
  )

  it.effect("says what is true on a translated page, whose text nodes the translator has replaced", () =>
    Effect.gen(function* () {
      const board = serveBoard(boardOf(3))
      const page = yield* openPage(yield* Product, { before: board.arrange })
      yield* Effect.promise(async () => {
        await connection(page, "live")
        await actAs(page, "grace@example.com")
        await seen(page.getByText("2nd of 1.2 million"))
        const text = (selector: string) => page.locator(selector).innerText()
        const ages = async () => {
          await page.evaluate(translate)
          const before = await text(".age")
          await page.waitForFunction((age) => document.querySelector(".age")?.textContent !== age, before)
        }
        const limited = { status: 429, headers: { "retry-after": "30" } }
        await page.route("**/scores/increment", (route) => route.fulfill(limited), { times: 1 })
        await page.evaluate(translate)
        await page.getByRole("button", { name: "Score a point" }).click()
        await seen(page.getByText("Too fast. That press was not counted."))
        assert.match(await text(".button.press"), /^Wait \d+ secs?$/)
        assert.strictEqual(await text(".progress"), "Too fast. That press was not counted.")

        await page.evaluate(translate)
        board.show([{ email: "new@example.com", score: 99_999 }, ...boardOf(2)])
        await seen(page.getByText("new@example.com"))
        assert.strictEqual(await text("[data-rank='1'] .count > span:first-child"), "99,999")

        await page.evaluate(translate)
        await page.route("**/scores", (route) => route.abort())
        await page.routeWebSocket("**/scores/websocket?stamped", (socket) => socket.close())
        await page.context().setOffline(true)
        await connection(page, "offline")
        assert.strictEqual(await text(".connection strong"), "Offline")
        await ages()
        await ages()

        await page.evaluate(translate)
        await page.getByRole("button", { name: "Sign out" }).click()
        await seen(page.getByRole("heading", { name: "Sign in to play" }))
      })
    }),
  )

  it.effect("stays live on a device that reports no network although it has one", () =>
    Effect.gen(function* () {
      const page = yield* openPage(yield* Product)
      yield* Effect.promise(async () => {
        await connection(page, "live")
        await page.evaluate(() => {
          Object.defineProperty(navigator, "onLine", { get: () => false })
          window.states = []
          const element = document.querySelector(".connection")
          new MutationObserver(() => window.states.push(element?.getAttribute("data-state") ?? "")).observe(
            element ?? document,
            { attributeFilter: ["data-state"] },
          )
          window.dispatchEvent(new Event("offline"))
        })
        await page.waitForFunction(() => window.states.at(-1) === "live")
        const shown = await page.evaluate(() => window.states)
        assert.strictEqual(shown[0], "reconnecting")
        assert.notInclude(shown, "offline")
        await page.reload()
        await connection(page, "live")
      })
    }),
  )

  it.effect("reloads a wall when another version is deployed, and only once for that version", () =>
    Effect.gen(function* () {
      let checks = 0
      let loads = 0
      const page = yield* openPage(yield* Product, {
        path: "/?wall",
        before: async (opened) => {
          opened.on("domcontentloaded", () => loads++)
          await opened.clock.install()
          // A check, which has no query, always finds another script, as if a cache returned an old page forever.
          await opened.route(/\/$/, async (route) => {
            const response = await route.fetch()
            const body = (await response.text()).replaceAll("/assets/index-", "/assets/other-")
            await route.fulfill({ response, body })
            checks++
          })
        },
      })
      const untilChecks = (wanted: number) =>
        until(
          `${wanted} checks`,
          Effect.promise(async () => {
            await page.clock.fastForward("06:15").catch(() => undefined)
            return checks
          }),
          (made) => made >= wanted,
        )
      yield* untilChecks(1)
      assert.strictEqual(loads, 1)
      yield* untilChecks(2)
      yield* until(
        "the second load",
        Effect.sync(() => loads),
        (made) => made === 2,
      )
      yield* untilChecks(6)
      yield* Effect.promise(() => connection(page, "live"))
      assert.strictEqual(loads, 2)
    }),
  )

  it.effect("loads at most 40 KiB of JavaScript, compressed", () =>
    Effect.gen(function* () {
      const assets = join((yield* Product).folder, "dist/web/assets")
      const scripts = readdirSync(assets).filter((name) => name.endsWith(".js"))
      const bytes = scripts.map((name) => gzipSync(readFileSync(join(assets, name))).length)
      assert.isNotEmpty(bytes)
      assert.isAtMost(
        bytes.reduce((sum, size) => sum + size, 0),
        40 * 1_024,
      )
    }),
  )
}
