import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { createPrivateKey, sign } from "node:crypto"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import type { Page, Request } from "playwright-core"
import { request } from "../../support/fixtures.ts"
import { increment, signIn } from "../fixtures.ts"
import { GRACE, openPage, ownScore, Product, scoreButton, seen, signInOn, type Suite } from "./fixtures.ts"

/** The lifetime of the first token of the page: long enough to read the score with it. */
const TOKEN_MILLIS = 2_500

const Tokens = Schema.Struct({ accessToken: Schema.String, refreshToken: Schema.String })
const Standing = Schema.fromJsonString(Schema.Struct({ score: Schema.Int }))
const Claims = Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown))

/** The same token with an earlier expiry, signed by the same key. */
const shorten = async (folder: string, token: string, expiresAt: number): Promise<string> => {
  const key = createPrivateKey(await readFile(join(folder, ".data/identity-key.pem")))
  const [header = "", payload = ""] = token.split(".")
  const claims = Schema.decodeUnknownSync(Claims)(Buffer.from(payload, "base64url").toString())
  const changed = Buffer.from(JSON.stringify({ ...claims, exp: Math.ceil(expiresAt / 1_000) })).toString(
    "base64url",
  )
  const input = `${header}.${changed}`
  return `${input}.${sign("RSA-SHA256", Buffer.from(input), key).toString("base64url")}`
}

/** The requests of the page for a path so far, and the statuses of their answers. */
const watch = (page: Page, path: string) => {
  const asked: Array<Request> = []
  page.on("request", (sent) => {
    if (new URL(sent.url()).pathname === path) asked.push(sent)
  })
  const statuses = () => Promise.all(asked.map(async (sent) => (await sent.response())?.status()))
  return { asked, statuses }
}

const bearerOf = (sent: Request | undefined) => sent?.headers()["authorization"]?.replace("Bearer ", "") ?? ""

/** The status with which the server answers a refresh with this token. */
const refreshStatus = (url: string, refreshToken: string) =>
  Effect.map(
    request(`${url}/users/auth/refresh`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ refreshToken }),
    }),
    ({ status }) => status,
  )

/** The score that the server reports after a new sign-in. */
const scoreOf = Effect.fnUntraced(function* (url: string) {
  const authorization = `Bearer ${yield* signIn(url, GRACE)}`
  const { body } = yield* request(`${url}/scores/me`, { headers: { authorization } })
  return Schema.decodeUnknownSync(Standing)(body).score
})

/** The server answers everything here; the test only shortens the life of one token. */
export const sessions: Suite = (it) => {
  it.effect("is refreshed once without a message, ends on the server too, and can start again", () =>
    Effect.gen(function* () {
      const { browser, url, folder } = yield* Product
      let tokens = Tokens.make({ accessToken: "", refreshToken: "" })
      let expiresAt = 0
      const page = yield* openPage({ browser, url })
      yield* Effect.promise(() =>
        page.route(
          "**/users/auth/login",
          async (route) => {
            const response = await route.fetch()
            tokens = Schema.decodeUnknownSync(Tokens)(await response.json())
            expiresAt = Date.now() + TOKEN_MILLIS
            const accessToken = await shorten(folder, tokens.accessToken, expiresAt)
            await route.fulfill({ response, json: { ...tokens, accessToken } })
          },
          { times: 1 },
        ),
      )
      const increments = watch(page, "/scores/increment")
      const refreshes = watch(page, "/users/auth/refresh")
      const before = yield* scoreOf(url)

      yield* Effect.promise(async () => {
        assert.strictEqual(await signInOn(page, GRACE), before)
        assert.deepStrictEqual(await refreshes.statuses(), [])

        // Tokens expire at a full second.
        await page.waitForTimeout(expiresAt + 1_000 - Date.now())
        await scoreButton(page).click()
        await ownScore(page, before + 1)
        assert.deepStrictEqual(await increments.statuses(), [401, 200])
        assert.deepStrictEqual(await refreshes.statuses(), [200])
        const [refused, repeated] = increments.asked.map((sent) => sent.headers()["idempotency-key"])
        assert.strictEqual(repeated, refused)
        assert.strictEqual(await page.getByRole("alert").count(), 0)
      })
      assert.strictEqual(yield* scoreOf(url), before + 1)

      yield* Effect.promise(async () => {
        const [signedOut] = await Promise.all([
          page.waitForResponse("**/users/auth/logout"),
          page.getByRole("button", { name: "Sign out" }).click(),
        ])
        assert.strictEqual(signedOut.status(), 204)
        await seen(page.getByRole("heading", { name: "Sign in to play" }))
      })
      for (const token of [...increments.asked.map(bearerOf), tokens.accessToken]) {
        assert.strictEqual((yield* increment(url, token)).status, 401)
      }
      assert.strictEqual(yield* refreshStatus(url, tokens.refreshToken), 401)

      yield* Effect.promise(async () => {
        assert.strictEqual(await signInOn(page, GRACE), before + 1)
        await scoreButton(page).click()
        await ownScore(page, before + 2)
      })
      assert.strictEqual(yield* scoreOf(url), before + 2)
    }),
  )
}
