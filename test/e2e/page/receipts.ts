import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { randomUUID } from "node:crypto"
import { symlink, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { Page } from "playwright-core"
import { makeReceiptKey, signReceipt } from "../../support/engines/ReceiptSigner.ts"
import { engineFolder } from "../../support/engines/runFolder.ts"
import { request } from "../../support/fixtures.ts"
import { signIn } from "../fixtures.ts"
import {
  ADA,
  openPage,
  ownScore,
  Product,
  scoreButton,
  seen,
  signInOn,
  startLocal,
  type Suite,
} from "./fixtures.ts"

const AUDIENCE = "https://board.example.com"
const KEY = makeReceiptKey("EdDSA")

const Claims = Schema.fromJsonString(Schema.Struct({ sub: Schema.String }))

/** Scores a point as the backend of an action lets a player do it. */
const scoreWithReceipt = Effect.fnUntraced(function* (url: string) {
  const token = yield* signIn(url, ADA)
  const payload = Buffer.from(token.split(".")[1] ?? "", "base64url").toString()
  const { sub } = Schema.decodeUnknownSync(Claims)(payload)
  const claims = { sub, aud: AUDIENCE, jti: randomUUID(), exp: Math.floor(Date.now() / 1_000) + 60 }
  const headers = { authorization: `Bearer ${token}`, "action-receipt": signReceipt(KEY, claims) }
  const { status } = yield* request(`${url}/scores/increment`, { method: "POST", headers })
  assert.strictEqual(status, 200)
})

const hasNoButton = async (page: Page, sentence: string) => {
  await seen(page.locator("h2:focus", { hasText: "Your score" }))
  await seen(page.getByText(sentence, { exact: true }))
  assert.strictEqual(await scoreButton(page).count(), 0)
}

export const receipts: Suite = (it) => {
  it.effect("that are required leave no button that could not count, and points appear all the same", () =>
    Effect.gen(function* () {
      const { folder: built, browser } = yield* Product
      const folder = yield* engineFolder("scoreboard-local-")
      const keys = join(folder, "keys.json")
      yield* Effect.promise(async () => {
        await symlink(join(built, "dist"), join(folder, "dist"))
        await writeFile(keys, JSON.stringify({ keys: [KEY.jwk] }))
      })
      const { url } = yield* startLocal(folder, 0, {
        ACTION_RECEIPTS: "required",
        ACTION_RECEIPT_AUDIENCE: AUDIENCE,
        ACTION_RECEIPT_JWKS_FILE: keys,
      })
      const page = yield* openPage({ browser, url })
      yield* Effect.promise(async () => {
        assert.strictEqual(await signInOn(page, ADA), 0)
        await hasNoButton(page, "Points come from the action itself.")
      })
      yield* scoreWithReceipt(url)
      yield* Effect.promise(() => ownScore(page, 1))
    }),
  )

  it.effect("that an operator begins to require are why a press does not count, and the button goes", () =>
    Effect.gen(function* () {
      const page = yield* openPage(yield* Product)
      yield* Effect.promise(async () => {
        const score = await signInOn(page, ADA)
        await page.route("**/scores/increment", (route) =>
          route.fulfill({ status: 403, json: { type: "urn:scoreboard:invalid-receipt", status: 403 } }),
        )
        await scoreButton(page).click()
        await hasNoButton(page, "Not counted. Points come from the action itself.")
        await ownScore(page, score)
      })
    }),
  )
}
