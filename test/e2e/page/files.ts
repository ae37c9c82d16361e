import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Page } from "playwright-core"
import { type RequestOptions, request } from "../../support/fixtures.ts"
import { openPage, Product, seen, type Suite } from "./fixtures.ts"

const CODINGS = ["br", "gzip"]

const ask = (path: string, headers: Readonly<Record<string, string>> = {}, options: RequestOptions = {}) =>
  Effect.flatMap(Product, ({ url }) => request(url + path, { ...options, headers }))

/** The paths of all text files of the page: the document and what it refers to. */
const paths = Effect.map(ask("/"), ({ body }) => [
  "/",
  ...[...body.matchAll(/(?:src|href)="(\/(?:assets\/)?[\w-]+\.\w+)"/g)].map(([, path]) => path ?? ""),
])

/** The text of an answer in this coding, decoded by `fetch`. */
const textOf = (path: string, coding: string) =>
  Effect.flatMap(Product, ({ url }) =>
    Effect.promise(async () => {
      const answer = await fetch(url + path, { headers: { "accept-encoding": coding } })
      return answer.text()
    }),
  )

export const files: Suite = (it) => {
  it.effect("have the same content, but fewer bytes, in every coding that a browser accepts", () =>
    Effect.gen(function* () {
      const all = yield* paths
      assert.strictEqual(all.length, 5)
      for (const path of all) {
        const plain = yield* ask(path)
        assert.strictEqual(plain.headers["content-encoding"], undefined)
        const tags = new Set([plain.headers.etag])
        for (const coding of CODINGS) {
          const { status, headers, body } = yield* ask(
            path,
            { "accept-encoding": coding },
            { method: "HEAD" },
          )
          assert.deepStrictEqual([status, headers["content-encoding"], body], [200, coding, ""])
          assert.isBelow(Number(headers["content-length"]), Number(plain.headers["content-length"]))
          for (const name of ["content-type", "cache-control", "content-security-policy"]) {
            assert.strictEqual(headers[name], plain.headers[name], `${name} of ${path}`)
          }
          assert.strictEqual(yield* textOf(path, coding), plain.body)
          tags.add(headers.etag)
        }
        assert.strictEqual(tags.size, 1 + CODINGS.length, `tags of ${path}`)
      }
    }),
  )

  it.effect("vary by coding, and are not sent again while they are unchanged", () =>
    Effect.gen(function* () {
      for (const path of yield* paths) {
        for (const coding of ["identity", ...CODINGS]) {
          const first = yield* ask(path, { "accept-encoding": coding })
          const etag = first.headers.etag ?? ""
          const again = yield* ask(path, { "accept-encoding": coding, "if-none-match": etag })
          assert.deepStrictEqual([again.status, again.body, again.headers.etag], [304, "", etag])
          for (const { headers } of [first, again]) assert.strictEqual(headers.vary, "Accept-Encoding")
        }
      }
    }),
  )

  it.effect("are sent in part only uncompressed", () =>
    Effect.gen(function* () {
      const path = (yield* paths).find((name) => name.endsWith(".js")) ?? ""
      const whole = yield* ask(path)
      const range = { "accept-encoding": "br, gzip", range: "bytes=100-199" }
      const part = yield* ask(path, range)
      assert.deepStrictEqual(
        [part.status, part.headers["content-encoding"], part.body],
        [206, undefined, whole.body.slice(100, 200)],
      )
      // A range of the compressed file would not fit the uncompressed one, so the whole file is sent again.
      const { headers } = yield* ask(path, { "accept-encoding": "br" }, { method: "HEAD" })
      const other = yield* ask(path, { ...range, "if-range": headers.etag ?? "" })
      assert.deepStrictEqual([other.status, other.body], [200, whole.body])
    }),
  )

  it.effect("are served only under their own names", () =>
    Effect.gen(function* () {
      for (const path of ["/br/index.html", "/gzip/favicon.svg", "/assets/none.js"]) {
        const { status, headers } = yield* ask(path, { "accept-encoding": "br" })
        assert.strictEqual(status, 404, path)
        assert.strictEqual(headers["cache-control"], "no-store", path)
      }
    }),
  )

  it.effect("are asked for again on a new connection when this process does not have them", () =>
    Effect.gen(function* () {
      const missing = yield* ask("/assets/index-of-another-version.js")
      assert.deepStrictEqual(
        [missing.status, missing.headers["cache-control"], missing.headers.connection],
        [404, "no-store", "close"],
      )
    }),
  )

  it.effect("include a first script of less than 1 kB, which browsers always check for a newer one", () =>
    Effect.gen(function* () {
      const { body, headers } = yield* ask("/boot.js")
      assert.isBelow(Buffer.byteLength(body), 1_000)
      assert.strictEqual(headers["cache-control"], "no-cache")
    }),
  )

  it.effect("include an icon for documents that name none, such as /openapi.json", () =>
    Effect.gen(function* () {
      const { status, headers, body } = yield* ask("/favicon.ico")
      assert.deepStrictEqual([status, headers["content-type"]], [200, "image/x-icon"])
      assert.strictEqual(body.slice(0, 4), "\0\0\u0001\0")
    }),
  )

  it.effect("and /docs come from this server alone: no font, script or count of another host", () =>
    Effect.gen(function* () {
      const product = yield* Product
      // A library of Scalar tries whether it may make functions from text, and does without.
      for (const [path, blocks] of [
        ["/", []],
        ["/docs", ["script-src eval"]],
      ] as const) {
        const asked: Array<string> = []
        const before = async (opened: Page) => void opened.on("request", (sent) => asked.push(sent.url()))
        const page = yield* openPage(product, { path, before, blocks })
        yield* Effect.promise(() => seen(page.getByRole("heading", { name: "Scoreboard", level: 1 })))
        yield* Effect.promise(() => page.waitForLoadState("networkidle"))
        assert.deepStrictEqual(
          asked.filter((address) => !/^(?:data|blob):/.test(address) && !address.startsWith(product.url)),
          [],
        )
      }
    }),
  )
}
