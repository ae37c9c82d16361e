import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Page, Route } from "playwright-core"
import { increment, signIn } from "../fixtures.ts"
import {
  ADA,
  connection,
  type Credentials,
  GRACE,
  LINUS,
  openPage,
  ownScore,
  Product,
  row,
  scoreButton,
  seen,
  signInOn,
  type Suite,
} from "./fixtures.ts"

/** Scores points for a player without a page. */
const scoreElsewhere = Effect.fnUntraced(function* (url: string, player: Credentials, times: number) {
  const token = yield* signIn(url, player)
  for (let time = 0; time < times; time++) {
    const { status } = yield* increment(url, token)
    assert.strictEqual(status, 200)
  }
})

const press = async (page: Page, times: number) => {
  for (let time = 0; time < times; time++) await scoreButton(page).click()
}

/** Answers the next request of a page for `path` instead of the server. */
const answerOnce = (page: Page, path: string, status: number, retryAfterSeconds?: number) =>
  page.route(
    path,
    (route) => {
      const headers = retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) }
      return route.fulfill({ status, headers })
    },
    { times: 1 },
  )

export const player: Suite = (it) => {
  it.effect("signs in and scores, and a second page shows it without a reload", () =>
    Effect.gen(function* () {
      const product = yield* Product
      const watcher = yield* openPage(product)
      const page = yield* openPage(product)
      yield* Effect.promise(async () => {
        await connection(watcher, "live")
        await seen(watcher.getByText("No scores yet"))
        assert.strictEqual(await signInOn(page, ADA), 0)
        await press(page, 3)
        await ownScore(page, 3)
        await Promise.all([page, watcher].map((viewer) => row(viewer, 1, ADA.email, 3)))
        await seen(page.locator('[data-own="true"]', { hasText: "You" }))
        await seen(page.getByText("1st of 1", { exact: true }))
        assert.strictEqual(await watcher.locator('[data-own="true"]').count(), 0)
      })
    }),
  )

  it.effect("glides past the overtaken player and ends in the right order", () =>
    Effect.gen(function* () {
      const product = yield* Product
      const page = yield* openPage(product)
      yield* scoreElsewhere(product.url, GRACE, 2)
      yield* Effect.promise(() => row(page, 2, GRACE.email, 2))
      yield* Effect.promise(() => page.evaluate(() => (window.notes.glides.length = 0)))
      yield* scoreElsewhere(product.url, GRACE, 2)
      yield* Effect.promise(async () => {
        await row(page, 1, GRACE.email, 4)
        await row(page, 2, ADA.email, 3)
        const { glides, layoutShifts } = await page.evaluate(() => window.notes)
        assert.sameMembers(glides, [GRACE.email, ADA.email])
        assert.deepStrictEqual(layoutShifts, [])
      })
    }),
  )

  it.effect("shows the same score in two tabs of the same player", () =>
    Effect.gen(function* () {
      const product = yield* Product
      const [first, second] = [yield* openPage(product), yield* openPage(product)]
      yield* Effect.promise(async () => {
        const [before] = await Promise.all([first, second].map((tab) => signInOn(tab, LINUS)))
        await Promise.all([press(first, 4), press(second, 4)])
        await Promise.all([first, second].map((tab) => ownScore(tab, Number(before) + 8)))
      })
    }),
  )

  it.effect("can be used with the keyboard only", () =>
    Effect.gen(function* () {
      const page = yield* openPage(yield* Product)
      const focused = (name: string) => seen(page.locator(":focus", { hasText: name }))
      yield* Effect.promise(async () => {
        await connection(page, "live")
        while (!(await page.evaluate(() => document.activeElement?.id === "sign-in-email"))) {
          await page.keyboard.press("Tab")
        }
        await page.keyboard.type(GRACE.email)
        await page.keyboard.press("Tab")
        await page.keyboard.type(GRACE.password)
        await page.keyboard.press("Enter")
        await focused("Score a point")
        await page.keyboard.press("Space")
        await page.keyboard.press("Enter")
        await seen(page.getByText("2 points since you signed in"))
        await page.keyboard.press("Shift+Tab")
        await focused("Sign out")
        await page.keyboard.press("Enter")
        await focused("Sign in to play")
      })
    }),
  )

  it.effect("sees which field is missing, then that e-mail or password is wrong, and can then sign in", () =>
    Effect.gen(function* () {
      const page = yield* openPage(yield* Product)
      yield* Effect.promise(async () => {
        await page.getByRole("button", { name: "Sign in", exact: true }).click()
        await seen(page.getByText("Enter your e-mail address."))
        await page.getByLabel("E-mail").fill(ADA.email)
        await page.getByLabel("Password").fill("a guess")
        await page.keyboard.press("Enter")
        await seen(page.getByRole("alert").filter({ hasText: "Wrong e-mail or password." }))
        await seen(page.locator("#sign-in-password:focus"))
        await signInOn(page, ADA)
      })
    }),
  )

  it.effect("signs in with a space around the address, but the password is sent as typed", () =>
    Effect.gen(function* () {
      const page = yield* openPage(yield* Product)
      yield* Effect.promise(async () => {
        const submit = async (email: string, password: string) => {
          await page.getByLabel("E-mail").fill(email)
          await page.getByLabel("Password").fill(password)
          const [sent] = await Promise.all([
            page.waitForRequest("**/users/auth/login"),
            page.keyboard.press("Enter"),
          ])
          return sent.postData()
        }
        await page.getByLabel("E-mail").fill("  ")
        await page.getByLabel("Password").fill(ADA.password)
        await page.keyboard.press("Enter")
        await seen(page.getByText("Enter your e-mail address."))
        const wrong = await submit(`\t${ADA.email} `, ` ${ADA.password} `)
        assert.strictEqual(wrong, JSON.stringify({ email: ADA.email, password: ` ${ADA.password} ` }))
        await seen(page.getByText("Wrong e-mail or password."))
        const right = await submit(` ${ADA.email} `, ADA.password)
        assert.strictEqual(right, JSON.stringify(ADA))
        await seen(page.locator(".account .name", { hasText: new RegExp(`^${ADA.email}$`) }))
        await seen(scoreButton(page))
      })
    }),
  )

  it.effect("sees how long to wait before the next sign-in", () =>
    Effect.gen(function* () {
      const page = yield* openPage(yield* Product)
      yield* Effect.promise(async () => {
        await answerOnce(page, "**/users/auth/login", 429, 2)
        await page.getByLabel("E-mail").fill(ADA.email)
        await page.getByLabel("Password").fill(ADA.password)
        await page.keyboard.press("Enter")
        await seen(page.getByRole("alert").filter({ hasText: "Too many attempts." }))
        await seen(page.getByRole("button", { name: "Wait 1 sec" }))
        await page.getByRole("button", { name: "Sign in", exact: true }).click()
        await seen(scoreButton(page))
      })
    }),
  )

  it.effect("sees a press that came too fast disappear, and can press after the wait", () =>
    Effect.gen(function* () {
      const page = yield* openPage(yield* Product)
      yield* Effect.promise(async () => {
        const before = await signInOn(page, ADA)
        await answerOnce(page, "**/scores/increment", 429, 2)
        await scoreButton(page).click()
        await seen(page.getByText("Too fast. That press was not counted."))
        await ownScore(page, before)
        await seen(page.getByRole("button", { name: "Wait 1 sec" }))
        await scoreButton(page).click()
        await ownScore(page, before + 1)
      })
    }),
  )

  it.effect("is counted once after a 503 or a lost answer", () =>
    Effect.gen(function* () {
      const page = yield* openPage(yield* Product)
      yield* Effect.promise(async () => {
        const before = await signInOn(page, ADA)
        await answerOnce(page, "**/scores/increment", 503, 1)
        await scoreButton(page).click()
        await seen(page.getByText("No answer yet. Retrying; your press counts once."))
        await seen(page.getByText("1 point since you signed in"))
        const loseAnswer = async (route: Route) => {
          await route.fetch()
          await route.abort()
        }
        await page.route("**/scores/increment", loseAnswer, { times: 1 })
        await scoreButton(page).click()
        await seen(page.getByText("2 points since you signed in"))
        await ownScore(page, before + 2)
        await seen(page.locator('[data-own="true"]', { hasText: new RegExp(`Score ${before + 2}`) }))
      })
    }),
  )

  it.effect("sees that a press may have counted when its answer is lost and its repeat is limited", () =>
    Effect.gen(function* () {
      const page = yield* openPage(yield* Product)
      yield* Effect.promise(async () => {
        const before = await signInOn(page, ADA)
        await answerOnce(page, "**/scores/increment", 429, 2)
        // The newest route answers first.
        const loseAnswer = async (route: Route) => {
          await route.fetch()
          await route.abort()
        }
        await page.route("**/scores/increment", loseAnswer, { times: 1 })
        await scoreButton(page).click()
        await seen(page.getByText("Too fast. Your last press may have counted."))
        await ownScore(page, before + 1)
      })
    }),
  )

  it.effect("is asked to sign in again when the session cannot be refreshed, and can continue", () =>
    Effect.gen(function* () {
      const page = yield* openPage(yield* Product)
      yield* Effect.promise(async () => {
        await signInOn(page, ADA)
        await answerOnce(page, "**/scores/increment", 401)
        await answerOnce(page, "**/users/auth/refresh", 401)
        await scoreButton(page).click()
        await seen(page.getByRole("alert").filter({ hasText: "Your session has expired." }))
        assert.strictEqual(await page.getByLabel("E-mail").inputValue(), ADA.email)
        await page.getByLabel("Password").fill(ADA.password)
        await page.keyboard.press("Enter")
        await seen(scoreButton(page))
      })
    }),
  )
}
