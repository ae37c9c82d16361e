import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { api, ask, bearer, Engine } from "./fixtures.ts"
import { FIRST, LAST, raiseThree } from "./ranksFixtures.ts"

const OPTIONS = { timeout: "60 seconds", excludeTestServices: true } as const

layer(Engine.layer, OPTIONS)("GET /scores/me", (it) => {
  it.layer(api({ players: 3 }))("with three players", (it) => {
    it.effect("follows the callers' own increments", () =>
      Effect.gen(function* () {
        const tokens = yield* raiseThree
        const me = yield* ask("/scores/me", { headers: bearer(tokens[2] ?? "") })
        assert.strictEqual(me.status, 200)
        assert.strictEqual(me.headers["cache-control"], "no-store")
        const { headers } = yield* ask("/scores")
        const [, epoch] = /^"(.+)-\d+"$/.exec(headers.etag ?? "") ?? []
        assert.deepStrictEqual(JSON.parse(me.body), {
          rank: 1,
          place: 2,
          epoch,
          // Five increments, one after another, on the first timeline.
          version: 1_000_000_005,
          score: 2,
          players: 3,
          percentile: 100 / 3,
          above: FIRST.slice(0, 1),
          below: [LAST],
        })
      }),
    )

    it.effect("is refused without a token, and for another method", () =>
      Effect.gen(function* () {
        const me = yield* ask("/scores/me")
        assert.strictEqual(me.status, 401)
        assert.isDefined(me.headers["www-authenticate"])
        const post = yield* ask("/scores/me", { method: "POST" })
        assert.strictEqual(post.status, 405)
        assert.strictEqual(post.headers.allow, "GET, HEAD")
      }),
    )
  })
})
