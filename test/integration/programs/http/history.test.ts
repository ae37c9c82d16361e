import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { api, ask, bearer, Engine, increment, signIn } from "./fixtures.ts"

const PATH = "/users/me/history"
const OPTIONS = { timeout: "30 seconds", excludeTestServices: true } as const

const History = Schema.fromJsonString(
  Schema.Struct({
    score: Schema.Int,
    entries: Schema.Array(
      Schema.Struct({ id: Schema.String, at: Schema.String, amount: Schema.Int, score: Schema.Int }),
    ),
    next: Schema.NullOr(Schema.String),
  }),
)
const decodeHistory = Schema.decodeUnknownSync(History, { onExcessProperty: "error" })

layer(Engine.layer, OPTIONS)("GET /users/me/history", (it) => {
  it.layer(api({ players: 2 }))("with two players", (it) => {
    it.effect("gives the caller's own changes, newest first and page by page, and no cache stores them", () =>
      Effect.gen(function* () {
        const [token, other] = [yield* signIn(0), yield* signIn(1)]
        for (let n = 0; n < 3; n++) yield* increment(token)
        yield* increment(other)
        const first = yield* ask(`${PATH}?limit=2`, { headers: bearer(token) })
        assert.strictEqual(first.status, 200)
        assert.strictEqual(first.headers["cache-control"], "no-store")
        const newest = decodeHistory(first.body)
        const oldest = decodeHistory(
          (yield* ask(`${PATH}?limit=2&after=${newest.next}`, { headers: bearer(token) })).body,
        )
        assert.deepStrictEqual(
          [...newest.entries, ...oldest.entries].map(({ amount, score }) => [amount, score]),
          [
            [1, 3],
            [1, 2],
            [1, 1],
          ],
        )
        assert.deepStrictEqual([newest.score, oldest.score, oldest.next], [3, 3, null])
      }),
    )

    it.effect("is refused without a token, and for a cursor or a size that it never gave", () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* ask(PATH)).status, 401)
        const token = yield* signIn()
        for (const query of ["after=x", "after=0", "after=-1", "limit=0", "limit=101", "limit=x"]) {
          const answer = yield* ask(`${PATH}?${query}`, { headers: bearer(token) })
          assert.strictEqual(answer.status, 400, query)
        }
      }),
    )
  })
})
