import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Cognito } from "../../../../src/services/Cognito/Cognito.ts"
import * as CognitoUserPool from "../../../../src/services/Cognito/CognitoUserPool.ts"
import * as FakeCognito from "../../../support/engines/FakeCognito.ts"
import { type Answer, json, key, mute } from "../../../support/engines/FakeCognito.ts"
import { timedRunning } from "../../../support/stalls.ts"

const connect = (env: Readonly<Record<string, string>>) =>
  CognitoUserPool.layer.pipe(
    Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(env))),
    Layer.build,
    Effect.map(Context.get(Cognito)),
  )

// Each has a provider of its own, and waits for time to pass.
describe("keys", { concurrent: true }, () => {
  const UNAVAILABLE: ReadonlyArray<readonly [title: string, answer: Answer, reason: string]> = [
    ["nothing within two seconds", mute, "aborted due to timeout"],
    [
      "an endless body",
      (_request, response) => {
        const timer = setInterval(() => response.write("[".repeat(64 * 1024)), 5)
        response.on("close", () => clearInterval(timer))
      },
      "The answer is too large",
    ],
    ["status 500", json(500, { keys: [key.jwk] }), "The answer has status 500"],
    ["no JSON", (_request, response) => void response.end("<html>"), "The answer is not a key set"],
    [
      "another place",
      (_request, response) => void response.writeHead(302, { location: "/" }).end(),
      "unexpected redirect",
    ],
    ["a lost connection", (request) => void request.socket.destroy(), "other side closed"],
  ]
  for (const [title, answer, reason] of UNAVAILABLE) {
    it.live(`are a CognitoFailure in time on ${title}, and available a second after that is over`, () =>
      Effect.gen(function* () {
        const provider = yield* FakeCognito.make
        const { keys } = provider.answers
        provider.answers.keys = answer
        const cognito = yield* connect(provider.env)
        const [elapsed, error] = yield* timedRunning(Effect.flip(cognito.verify(provider.access)))
        assert.strictEqual(error._tag, "CognitoFailure")
        assert.include(inspect(error), reason)
        assert.isBelow(elapsed, 3_000)
        provider.answers.keys = keys
        yield* Effect.sleep("1050 millis")
        yield* cognito.verify(provider.access)
        yield* cognito.check
      }),
    )
  }

  it.live("are named, with their address, by a login that waited for them at its time limit", () =>
    Effect.gen(function* () {
      const { env, answers, tokens } = yield* FakeCognito.make
      answers.keys = mute
      const cognito = yield* connect(env)
      // The call itself takes so long that the limit of the login comes before that of the keys.
      answers.InitiateAuth = (...request) =>
        void setTimeout(() => json(200, tokens({ email: "ada@example.com" }))(...request), 1_200)
      // The keys that are fetched at the start.
      yield* Effect.exit(cognito.check)
      yield* Effect.sleep("1050 millis")
      const error = yield* Effect.flip(cognito.login("ada@example.com", Redacted.make("secret")))
      assert.ok(error._tag === "CognitoFailure")
      assert.strictEqual(error.operation, "verify")
      assert.include(
        inspect(error),
        `The key set at ${env.COGNITO_ISSUER}/.well-known/jwks.json did not answer`,
      )
    }),
  )

  it.live("are no longer fetched when the layer is closed", () =>
    Effect.gen(function* () {
      const provider = yield* FakeCognito.make
      const asked = Deferred.makeUnsafe<void>()
      const closed = Deferred.makeUnsafe<void>()
      provider.answers.keys = (_request, response) => {
        response.on("close", () => Deferred.doneUnsafe(closed, Effect.void))
        Deferred.doneUnsafe(asked, Effect.void)
      }
      yield* Effect.scoped(Effect.andThen(connect(provider.env), Deferred.await(asked)))
      yield* Deferred.await(closed)
    }),
  )
})
