import { assert, layer } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { LoginThrottled } from "../../../../src/services/Cognito/Cognito.ts"
import { api, ask, cognitoWith, Engine, PASSWORD, players, postJson } from "./fixtures.ts"

const LOGIN = "/users/auth/login"
const OPTIONS = { timeout: "60 seconds", excludeTestServices: true } as const
const ROUNDS = 7

const median = (numbers: ReadonlyArray<number>) =>
  numbers.toSorted((one, other) => one - other)[numbers.length >> 1] ?? Number.NaN

layer(Engine.layer, OPTIONS)("POST /users/auth/login", (it) => {
  it.layer(api())("with a local identity provider", (it) => {
    it.effect("signs in with exactly the two tokens, which no cache keeps", () =>
      Effect.gen(function* () {
        const answer = yield* ask(LOGIN, postJson(players(1)[0]))
        assert.strictEqual(answer.status, 200)
        assert.strictEqual(answer.headers["cache-control"], "no-store")
        assert.match(answer.body, /^\{"accessToken":"[\w.-]+","refreshToken":"[\w-]+"\}$/)
      }),
    )

    it.effect("gives one answer to a wrong password and an unknown address", () =>
      Effect.gen(function* () {
        const wrong = yield* ask(LOGIN, postJson({ email: "player0@example.com", password: "x" }))
        const unknown = yield* ask(LOGIN, postJson({ email: "nobody@example.com", password: PASSWORD }))
        for (const answer of [wrong, unknown]) {
          assert.strictEqual(answer.status, 401)
          assert.strictEqual(answer.headers["cache-control"], "no-store")
          assert.strictEqual(answer.headers["www-authenticate"], 'Bearer realm="scoreboard"')
        }
        assert.strictEqual(wrong.body, unknown.body)
      }),
    )

    const MALFORMED: ReadonlyArray<readonly [string, unknown]> = [
      ["no password", { email: "a@b" }],
      ["no e-mail", { password: "x" }],
      ["an empty e-mail", { email: "", password: "x" }],
      ["an empty password", { email: "a@b", password: "" }],
      ["a number for the e-mail", { email: 1, password: "x" }],
      ["a list for the password", { email: "a@b", password: ["x"] }],
      ["null", null],
      ["a list", []],
      ["an empty object", {}],
      ["no JSON", '{"email":'],
      ["no body", ""],
    ]
    for (const [title, body] of MALFORMED) {
      it.effect(`refuses a login with ${title}: 400`, () =>
        Effect.gen(function* () {
          assert.strictEqual((yield* ask(LOGIN, postJson(body))).status, 400)
        }),
      )
    }

    it.effect("refuses a login of another content type: 415", () =>
      Effect.gen(function* () {
        const body = JSON.stringify(players(1)[0])
        for (const headers of [{ "content-type": "text/plain" }, { "content-type": "application/xml" }]) {
          assert.strictEqual((yield* ask(LOGIN, { method: "POST", headers, body })).status, 415)
        }
      }),
    )
  })

  it.layer(api({ replacing: cognitoWith({ login: () => Effect.fail(new LoginThrottled()) }) }))(
    "with an identity provider that throttles",
    (it) => {
      it.effect("answers 429 and says when to come back", () =>
        Effect.gen(function* () {
          const answer = yield* ask(LOGIN, postJson(players(1)[0]))
          assert.strictEqual(answer.status, 429)
          assert.match(String(answer.headers["retry-after"]), /^\d+$/)
        }),
      )
    },
  )

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
