import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { UserId } from "../../../../src/domain/Score.ts"
import { COMMITTERS } from "../../../../src/programs/increment/Committers.ts"
import { CognitoFailure } from "../../../../src/services/Cognito/Cognito.ts"
import { RedisFailure } from "../../../../src/services/Redis/Redis.ts"
import { SqlFailure } from "../../../../src/services/Sql/Sql.ts"
import {
  api,
  ask,
  bearer,
  cognitoWith,
  Engine,
  increment,
  Log,
  players,
  postJson,
  redisWith,
  signIn,
  sqlWith,
} from "./fixtures.ts"

const PLAYER = UserId.make("player")
/** Commits that break: more than there are committers. */
const BROKEN = COMMITTERS + 1
const LOGIN = "/users/auth/login"
const OPTIONS = { timeout: "30 seconds", excludeTestServices: true } as const

/** What a driver may say, and nobody outside may read. */
const SECRET = "password authentication failed for user scoreboard at 10.1.2.3"
const cause = new Error(SECRET)
const login = ask(LOGIN, postJson(players(1)[0]))

/** The lines of the log that have the driver's words. */
const explained = Effect.map(Log, (lines) => lines.filter((line) => line.includes(SECRET)))

layer(Engine.layer, OPTIONS)("API", (it) => {
  it.layer(
    api({
      replacing: cognitoWith({
        login: () => Effect.fail(new CognitoFailure({ operation: "login", cause })),
        verify: () => Effect.fail(new CognitoFailure({ operation: "verify", cause })),
      }),
    }),
  )("without its identity provider", (it) => {
    it.effect("answers 503 to a login and to a token it cannot check, never 401", () =>
      Effect.gen(function* () {
        const answers = [yield* login, yield* increment("a.b.c")]
        for (const { status, headers, body } of answers) {
          assert.strictEqual(status, 503)
          assert.match(String(headers["retry-after"]), /^\d+$/)
          assert.include(body, '"dependency":"identity provider"')
        }
        assert.strictEqual((yield* explained).length, 2)
        assert.include(
          (yield* explained).join("\n"),
          "A login could not be completed at the identity provider",
        )
      }),
    )

    it.effect("answers 401 where there is no token to check, and gives the board", () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* ask("/scores/increment", { method: "POST" })).status, 401)
        assert.strictEqual((yield* ask("/scores")).status, 200)
      }),
    )
  })

  it.layer(
    api({
      replacing: cognitoWith({
        login: () => Effect.fail(new CognitoFailure({ operation: "verify", cause })),
      }),
    }),
  )("without the keys of its identity provider", (it) => {
    it.effect("answers 503 to a login, and says in the log that it is the key set", () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* login).status, 503)
        const line = (yield* explained).join("\n")
        assert.include(line, "A login could not be completed: the identity provider's key set is unavailable")
      }),
    )
  })

  it.layer(
    api({
      replacing: Layer.merge(
        sqlWith(() => ({
          increment: () => Effect.fail(new SqlFailure({ operation: "increment", cause })),
          register: () => Effect.fail(new SqlFailure({ operation: "register", cause })),
          history: () => Effect.fail(new SqlFailure({ operation: "history", cause })),
          top: () => Effect.fail(new SqlFailure({ operation: "top", cause })),
        })),
        redisWith({ readBoard: Effect.fail(new RedisFailure({ operation: "readBoard", cause })) }),
      ),
    }),
  )("without PostgreSQL and Redis", (it) => {
    it.effect("still signs in, and answers 503 to everything that needs them", () =>
      Effect.gen(function* () {
        const token = yield* signIn()
        const answers = [
          yield* increment(token),
          yield* ask("/scores"),
          yield* ask("/users/me/history", { headers: bearer(token) }),
        ]
        for (const { status, headers, body } of answers) {
          assert.strictEqual(status, 503)
          assert.match(String(headers["retry-after"]), /^\d+$/)
          assert.include(body, '"dependency":"database"')
        }
        assert.isAtLeast((yield* explained).length, 4)
      }),
    )
  })

  let commits = 0
  it.layer(
    api({
      replacing: Layer.merge(
        sqlWith((real) => ({
          increment: (batch) => (++commits <= BROKEN ? Effect.die(cause) : real.increment(batch)),
        })),
        cognitoWith({
          login: () => Effect.die(cause),
          verify: () =>
            Effect.succeed({
              userId: PLAYER,
              tokenId: undefined,
              isTokenIdShared: false,
              signedInAtSeconds: 0,
              email: "p@example.com",
              expiresAtSeconds: 0,
            }),
        }),
      ),
    }),
  )("with a defect", (it) => {
    it.effect("answers 500 without a word about it, and logs it under the request's id", () =>
      Effect.gen(function* () {
        const answer = yield* ask(LOGIN, {
          ...postJson(players(1)[0]),
          headers: { "content-type": "application/json", "x-request-id": "the-one" },
        })
        assert.strictEqual(answer.status, 500)
        assert.deepStrictEqual(JSON.parse(answer.body), {
          type: "about:blank",
          title: "Internal Server Error",
          status: 500,
        })
        const lines = yield* explained
        assert.strictEqual(lines.length, 1)
        assert.include(lines[0], '"the-one"')
      }),
    )

    it.effect("answers 503 to increments whose commit broke, and counts those after", () =>
      Effect.gen(function* () {
        for (let n = 0; n < BROKEN; n++) assert.strictEqual((yield* increment("any")).status, 503)
        assert.strictEqual((yield* increment("any")).status, 200)
      }),
    )
  })
})
