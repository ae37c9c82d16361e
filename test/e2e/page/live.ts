import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { symlink } from "node:fs/promises"
import { join } from "node:path"
import type { Page } from "playwright-core"
import { freePort } from "../../support/engines/freePort.ts"
import * as TcpProxy from "../../support/engines/TcpProxy.ts"
import { engineFolder } from "../../support/engines/runFolder.ts"
import { increment, signIn } from "../fixtures.ts"
import { ADA, connection, openPage, Product, row, startLocal, type Suite } from "./fixtures.ts"

/** Marks this document. The mark is gone after a reload. */
const mark = (page: Page) => page.evaluate(() => document.body.setAttribute("data-mark", ""))
const isSameDocument = (page: Page) => page.evaluate(() => document.body.hasAttribute("data-mark"))

export const live: Suite = (it) => {
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
