import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { symlink } from "node:fs/promises"
import { join } from "node:path"
import { engineFolder } from "../../support/engines/runFolder.ts"
import { startTlsFront } from "../../support/engines/TlsFront.ts"
import { type Answer, openViewer, request } from "../../support/fixtures.ts"
import {
  ADA,
  connection,
  GRACE,
  openPage,
  ownScore,
  Product,
  row,
  scoreButton,
  signInOn,
  startLocal,
  type Suite,
} from "./fixtures.ts"

/** Open sockets that one address may have here. */
const SOCKETS = 2

/** The product behind a TLS proxy, as an operator runs it: it is told that one proxy is in front. */
const startSecure = Effect.gen(function* () {
  const { folder: built, browser } = yield* Product
  const folder = yield* engineFolder("scoreboard-local-")
  yield* Effect.promise(() => symlink(join(built, "dist"), join(folder, "dist")))
  const local = yield* startLocal(folder, 0, {
    TRUSTED_PROXY_HOPS: "1",
    WEBSOCKET_MAX_PER_ADDRESS: String(SOCKETS),
  })
  return { browser, front: yield* startTlsFront(local.port), plain: local.url }
})

const Tokens = Schema.fromJsonString(Schema.Struct({ refreshToken: Schema.String }))

export const secure: Suite = (it) => {
  it.effect(
    "signs in, scores and sees the board move over https and wss, and asks nothing in plain text",
    () =>
      Effect.gen(function* () {
        const { browser, front } = yield* startSecure
        const asked: Array<string> = []
        const open = () =>
          openPage(
            { browser, url: front.url },
            {
              // No authority of this machine knows the proxy's certificate; programs, below, check it.
              ignoreHTTPSErrors: true,
              before: async (page) => {
                page.on("request", (sent) => asked.push(sent.url()))
                page.on("websocket", (socket) => asked.push(socket.url()))
              },
            },
          )
        const [watcher, page] = [yield* open(), yield* open()]
        yield* Effect.promise(async () => {
          await connection(watcher, "live")
          assert.strictEqual(await signInOn(page, ADA), 0)
          for (let n = 0; n < 3; n++) await scoreButton(page).click()
          await ownScore(page, 3)
          await row(watcher, 1, ADA.email, 3)
          assert.deepStrictEqual(await page.context().cookies(), [])
        })
        const schemes = new Set(
          asked.map((url) => new URL(url)).map(({ protocol, host }) => `${protocol}//${host}`),
        )
        assert.deepStrictEqual([...schemes].toSorted(), [front.url, front.url.replace("https", "wss")])
      }),
  )

  it.effect("takes the client and its TLS from the proxy, and the page's own https origin for its own", () =>
    Effect.gen(function* () {
      const { front, plain } = yield* startSecure
      const ca = front.certificate.cert
      const board = yield* request(`${front.url}/scores`, { ca })
      assert.strictEqual(board.status, 200)
      assert.strictEqual(board.headers["strict-transport-security"], "max-age=31536000")
      assert.notProperty((yield* request(`${plain}/scores`)).headers, "strict-transport-security")

      const post = (path: string, body: object) =>
        request(front.url + path, {
          ca,
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(body),
        })
      const login = yield* post("/users/auth/login", GRACE)
      assert.strictEqual(login.status, 200)
      assert.notProperty(login.headers, "set-cookie")
      const { refreshToken } = Schema.decodeUnknownSync(Tokens)(login.body)
      assert.strictEqual((yield* post("/users/auth/refresh", { refreshToken })).status, 200)

      /** 101 and an open socket, or the status with which it is refused. */
      const dial = (origin: string, localAddress: string, headers: Readonly<Record<string, string>> = {}) =>
        openViewer(`${front.url}/scores/websocket`, { origin, ...headers }, { ca, localAddress }).pipe(
          Effect.as(101),
          Effect.catch((refused: Answer | Error) =>
            refused instanceof Error ? Effect.fail(refused) : Effect.succeed(refused.status),
          ),
        )
      assert.strictEqual(yield* dial(front.url, "127.0.0.2"), 101)
      for (const origin of [`https://127.0.0.1:${front.port + 1}`, "https://evil.example", plain]) {
        assert.strictEqual(yield* dial(origin, "127.0.0.2"), 403, origin)
      }
      // The limit counts the address that the proxy saw, whatever the client claims to be.
      assert.strictEqual(yield* dial(front.url, "127.0.0.2", { "x-forwarded-for": "192.0.2.1" }), 101)
      assert.strictEqual(yield* dial(front.url, "127.0.0.2", { "x-forwarded-for": "192.0.2.2" }), 429)
      assert.strictEqual(yield* dial(front.url, "127.0.0.3"), 101)
    }),
  )
}
