import { assert, layer } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { api, ask, Engine, PASSWORD, postJson } from "./apiFixtures.ts"

const OPTIONS = { timeout: "60 seconds", excludeTestServices: true } as const
const ROUNDS = 7

const median = (numbers: ReadonlyArray<number>) =>
  numbers.toSorted((one, other) => one - other)[numbers.length >> 1] ?? Number.NaN

layer(Engine.layer, OPTIONS)("A refused login", (it) => {
  it.effect("takes as long for an unknown account as for a wrong password, and says the same", () =>
    Effect.gen(function* () {
      const attempt = (email: string, password: string) =>
        Effect.map(
          Effect.timed(ask("/users/auth/login", postJson({ email, password }))),
          ([elapsed, { status, body }]) => {
            assert.strictEqual(status, 401)
            return { millis: Duration.toMillis(elapsed), body }
          },
        )
      yield* attempt("player0@example.com", "to warm up")
      const [known, unknown]: [Array<number>, Array<number>] = [[], []]
      // In turn, so that a busy machine slows both alike.
      for (let n = 0; n < ROUNDS; n++) {
        const wrong = yield* attempt("player0@example.com", `wrong ${n}`)
        const nobody = yield* attempt(`nobody${n}@example.com`, PASSWORD)
        assert.strictEqual(wrong.body, nobody.body)
        known.push(wrong.millis)
        unknown.push(nobody.millis)
      }
      // Without the work for an unknown account the ratio is about 20.
      const ratio = median(known) / median(unknown)
      assert.isAbove(ratio, 0.5)
      assert.isBelow(ratio, 2)
    }).pipe(Effect.provide(api())),
  )
})
