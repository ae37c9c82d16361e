import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { RankPage } from "../../../../src/domain/Ranks.ts"
import { api, ask, Engine } from "./fixtures.ts"
import { FIRST, LAST, raiseThree } from "./ranksFixtures.ts"

const OPTIONS = { timeout: "60 seconds", excludeTestServices: true } as const

const decodePage = Schema.decodeUnknownEffect(Schema.fromJsonString(RankPage))

layer(Engine.layer, OPTIONS)("GET /scores/page", (it) => {
  it.layer(api({ players: 3 }))("with three players", (it) => {
    it.effect("gives the whole board, page by page", () =>
      Effect.gen(function* () {
        yield* raiseThree
        const page = yield* Effect.flatMap(ask("/scores/page?limit=2"), ({ body }) => decodePage(body))
        assert.deepStrictEqual(page.scores, FIRST)
        const rest = yield* ask(`/scores/page?limit=2&after=${page.next}`)
        assert.deepStrictEqual(JSON.parse(rest.body), { scores: [LAST], next: null })
      }),
    )

    it.effect("is refused for a cursor or a size that it never gave", () =>
      Effect.gen(function* () {
        for (const query of [
          "after=x",
          "after=1.2",
          "after=1.9999999999999999999.1",
          "limit=0",
          "limit=101",
          "limit=x",
        ]) {
          const answer = yield* ask(`/scores/page?${query}`)
          assert.strictEqual(answer.status, 400, query)
          assert.include(String(answer.headers["content-type"]), "application/problem+json")
        }
      }),
    )
  })
})
