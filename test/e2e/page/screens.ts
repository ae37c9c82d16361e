import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Locator, Page } from "playwright-core"
import { connection, type OpenOptions, openPage, Product, scoreButton, seen, type Suite } from "./fixtures.ts"
import { actAs, boardOf, LYING_PHONE, outside, PHONE, serveBoard } from "./scenes.ts"

/** Reads as `ada@example.com` from right to left, if nothing isolates it. */
const OVERRIDE = "moc.elpmaxe@\u202eada@example.net"

const second = { score: 9_859, rank: 2, players: 1_204_311, percentile: 0.0002, epoch: "e", version: 1 }

const boxOf = async (element: Locator) => {
  const { x, y, width, height } = (await element.boundingBox()) ?? assert.fail("not shown")
  return { left: x, top: y, right: x + width, bottom: y + height }
}

/** Opens a page whose board the test sends, under version 1. */
const openBoard = (scores: Parameters<typeof serveBoard>[0], options: OpenOptions = {}) =>
  Effect.flatMap(Product, (product) => {
    const board = serveBoard(scores)
    board.stamp(1)
    const { before } = options
    const arrange = async (page: Page) => {
      await board.arrange(page)
      await before?.(page)
    }
    return Effect.tap(openPage(product, { ...options, before: arrange }), (page) =>
      Effect.promise(() => connection(page, "live")),
    )
  })

/** Whether a viewer sees an element: in the window, and not beneath another one. Runs in the page. */
const isUncovered = (element: Element) => {
  const { left, top, bottom } = element.getBoundingClientRect()
  return [top + 2, bottom - 2].every((y) => element.contains(document.elementFromPoint(left + 20, y)))
}

/** Keeps how the page was asked to scroll. */
const noteScrolling = async (page: Page) => {
  await page.addInitScript(() => {
    const { scrollIntoView } = Element.prototype
    window.scrolled = []
    Element.prototype.scrollIntoView = function (how) {
      window.scrolled.push(typeof how === "object" ? (how.behavior ?? "") : "")
      scrollIntoView.call(this, how)
    }
  })
}

declare global {
  interface Window {
    /** The behaviour of each `scrollIntoView`. */
    scrolled: Array<string>
  }
}

export const screens: Suite = (it) => {
  it.effect("shows an address with a bidi override, or from right to left, in its own order", () =>
    Effect.gen(function* () {
      const emails = [OVERRIDE, "شريف@مثال.example", "zero\u200bwidth@example.com"]
      const page = yield* openBoard(emails.map((email, place) => ({ email, score: 9 - place })))
      yield* Effect.promise(async () => {
        await actAs(page, OVERRIDE, { ...second, place: 1 })
        await seen(page.locator("[data-own=true]"))
        const shown = "moc.elpmaxe@[U+202E]ada@example.net"
        const names = page.locator(".name")
        assert.deepStrictEqual(await names.allInnerTexts(), [
          shown,
          shown,
          "شريف@مثال.example",
          "zero[U+200B]width@example.com",
        ])
        for (const name of await names.all()) {
          const [local, domain] = [
            await boxOf(name.locator(".local")),
            await boxOf(name.locator(".domain bdi")),
          ]
          assert.isAtMost(local.right, domain.left)
        }
        assert.strictEqual(
          await names.first().getAttribute("title"),
          "\u2068moc.elpmaxe@[U+202E]ada\u2069@\u2066example.net\u2069",
        )
      })
    }),
  )

  it.effect(
    "has the panel beside the board of a lying phone, and jumps to the top if motion is unwanted",
    () =>
      Effect.gen(function* () {
        const options = { ...LYING_PHONE, reducedMotion: "reduce", before: noteScrolling } as const
        const page = yield* openBoard(boardOf(10), options)
        yield* Effect.promise(async () => {
          await page.evaluate(() => scrollTo(0, document.body.scrollHeight))
          await actAs(page, "mary@example.com", outside)
          await seen(page.getByText("4,213th of 1.2 million"))
          await page.waitForFunction(() => window.scrolled.length === 1 && window.scrollY === 0)
          assert.deepStrictEqual(await page.evaluate(() => window.scrolled), ["auto"])
          const [board, panel] = [await boxOf(page.locator(".board")), await boxOf(page.locator(".action"))]
          assert.isAbove(panel.left, board.right)
          assert.isAtMost(panel.bottom, LYING_PHONE.viewport.height)
          assert.isAbove(board.right - board.left, LYING_PHONE.viewport.width / 2)
        })
      }),
  )

  it.effect("goes from the form below the board to the own row, with the focus on the button", () =>
    Effect.gen(function* () {
      const page = yield* openBoard(boardOf(10), { ...PHONE, before: noteScrolling })
      yield* Effect.promise(async () => {
        await page.getByRole("button", { name: "Sign in", exact: true }).scrollIntoViewIfNeeded()
        await actAs(page, "grace@example.com", { ...second, place: 2 })
        await seen(page.locator("[data-own=true]"))
        await page.waitForFunction(isUncovered, await page.locator("[data-own=true]").elementHandle())
        assert.deepStrictEqual(await page.evaluate(() => window.scrolled), ["smooth"])
        assert.isTrue(await scoreButton(page).evaluate((button) => button.matches(":focus")))
      })
    }),
  )

  it.effect("does not go anywhere under a viewer who has scrolled since the sign-in", () =>
    Effect.gen(function* () {
      const page = yield* openBoard(boardOf(10), { ...PHONE, before: noteScrolling })
      yield* Effect.promise(async () => {
        await actAs(page, "grace@example.com", { ...second, place: 2 }, async () => {
          await seen(scoreButton(page))
          await page.keyboard.press("PageDown")
        })
        await seen(page.locator("[data-own=true]"))
        assert.deepStrictEqual(await page.evaluate(() => window.scrolled), [])
      })
    }),
  )

  it.effect("prints a light board on one page, without anything to press", () =>
    Effect.gen(function* () {
      const page = yield* openBoard(boardOf(10), { colorScheme: "dark" })
      yield* Effect.promise(async () => {
        const pagesOf = async (landscape: boolean) => {
          const document = await page.pdf({ format: "A4", landscape })
          return document.toString("latin1").match(/\/Type\s*\/Page\b/g)?.length
        }
        assert.deepStrictEqual([await pagesOf(false), await pagesOf(true)], [1, 1])
        await actAs(page, "grace@example.com", { ...second, place: 2 })
        await seen(page.getByText("2nd of 1.2 million"))
        assert.deepStrictEqual([await pagesOf(false), await pagesOf(true)], [1, 1])
        await page.emulateMedia({ media: "print", colorScheme: "dark" })
        assert.strictEqual(await page.getByRole("button").count(), 0)
        await seen(page.getByText("2nd of 1.2 million"))
        const colour = (selector: string, name: "color" | "backgroundColor") =>
          page
            .locator(selector)
            .first()
            .evaluate((element, of) => getComputedStyle(element)[of], name)
        assert.strictEqual(await colour("html", "backgroundColor"), "rgba(0, 0, 0, 0)")
        assert.strictEqual(await colour(".row .local", "color"), "rgb(18, 22, 42)")
      })
    }),
  )

  it.effect("has the same picture on a wall of any size, with the same room beside the title", () =>
    Effect.gen(function* () {
      const page = yield* openBoard(boardOf(10), { path: "/?wall" })
      yield* Effect.promise(async () => {
        const shares: Array<number> = []
        for (const [width, height] of [
          [1_920, 1_080],
          [3_840, 2_160],
        ] as const) {
          await page.setViewportSize({ width, height })
          const [title, state] = [await boxOf(page.locator("h1")), await boxOf(page.locator(".connection"))]
          shares.push((state.left - title.right) / (title.bottom - title.top))
        }
        assert.closeTo(shares[1] ?? 0, shares[0] ?? 1, 0.01)
      })
    }),
  )
}
