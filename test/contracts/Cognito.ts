import { assert, layer as testLayer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { UserId } from "../../src/domain/Score.ts"
import { Cognito } from "../../src/services/Cognito/Cognito.ts"

/** What the contract has to know about the provider under test. */
export class CognitoFixture extends Context.Service<
  CognitoFixture,
  {
    /** A user that can sign in. */
    readonly user: { readonly email: string; readonly password: string }
    /** A genuine id token of that user, from the same issuer and key as the access tokens. */
    readonly idToken: Effect.Effect<string>
  }
>()("test/contracts/CognitoFixture") {}

/** Changes a letter in the middle of one part of a token: the last letter of a part may carry no information. */
const tamper = (token: string, part: 0 | 1 | 2) => {
  const parts = token.split(".")
  const text = parts[part] ?? ""
  const middle = Math.floor(text.length / 2)
  parts[part] = text.slice(0, middle) + (text[middle] === "A" ? "B" : "A") + text.slice(middle + 1)
  return parts.join(".")
}

/** What every identity provider of the system does. */
export const cognitoContract = <E>(name: string, layer: Layer.Layer<Cognito | CognitoFixture, E>) => {
  const login = Effect.gen(function* () {
    const { user } = yield* CognitoFixture
    return yield* (yield* Cognito).login(user.email, Redacted.make(user.password))
  })
  const rejection = (token: string) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip((yield* Cognito).verify(token))
      assert.strictEqual(error._tag, "TokenRejected")
      for (const part of token.split(".").filter((text) => text.length > 8)) {
        assert.notInclude(JSON.stringify(error), part)
      }
    })

  testLayer(layer, { timeout: "30 seconds", excludeTestServices: true })(
    `Cognito contract on ${name}`,
    (it) => {
      it.effect("login gives the profile and an access token of the same user", () =>
        Effect.gen(function* () {
          const session = yield* login
          assert.strictEqual(session.profile.email, (yield* CognitoFixture).user.email)
          assert.isNotEmpty(session.refreshToken)
          const claims = yield* (yield* Cognito).verify(session.accessToken)
          assert.strictEqual(claims.userId, session.profile.userId)
          assert.isString(claims.tokenId)
          assert.isUndefined(claims.email)
        }),
      )

      it.effect("login rejects a wrong password and an unknown user", () =>
        Effect.gen(function* () {
          const cognito = yield* Cognito
          const { user } = yield* CognitoFixture
          const wrong = yield* Effect.flip(cognito.login(user.email, Redacted.make(`${user.password}!`)))
          assert.strictEqual(wrong._tag, "LoginRejected")
          const unknown = yield* Effect.flip(cognito.login(`x${user.email}`, Redacted.make(user.password)))
          assert.strictEqual(unknown._tag, "LoginRejected")
          assert.notInclude(JSON.stringify([wrong, unknown]), user.email)
        }),
      )

      it.effect("login rejects a name that no user can have", () =>
        Effect.gen(function* () {
          const cognito = yield* Cognito
          const { user } = yield* CognitoFixture
          for (const email of [
            "",
            " ",
            `${user.email} `,
            "a b@example.com",
            `${"a".repeat(200)}@example.com`,
            "\n",
          ]) {
            const error = yield* Effect.flip(cognito.login(email, Redacted.make(user.password)))
            assert.strictEqual(error._tag, "LoginRejected")
          }
        }),
      )

      it.effect("verify rejects what is no token", () =>
        Effect.forEach(
          ["", "x", "..", "a.b.c", "e30.e30.e30", "Bearer x", "\u0000", "☃.☃.☃", "a".repeat(1 << 20)],
          rejection,
        ),
      )

      it.effect("verify rejects a truncated token", () =>
        Effect.gen(function* () {
          const { accessToken } = yield* login
          yield* rejection(accessToken.slice(0, -8))
          yield* rejection(accessToken.slice(0, accessToken.lastIndexOf(".")))
          yield* rejection(accessToken.slice(1))
        }),
      )

      it.effect("verify rejects a token in which any part was changed", () =>
        Effect.gen(function* () {
          const { accessToken } = yield* login
          yield* Effect.forEach([0, 1, 2] as const, (part) => rejection(tamper(accessToken, part)))
        }),
      )

      it.effect("verify rejects an id token", () =>
        Effect.gen(function* () {
          const { idToken } = yield* CognitoFixture
          yield* rejection(yield* idToken)
        }),
      )

      it.effect("refresh gives another access token of the same sign-in", () =>
        Effect.gen(function* () {
          const cognito = yield* Cognito
          const session = yield* login
          const renewal = yield* cognito.refresh(Redacted.make(session.refreshToken))
          assert.notStrictEqual(renewal.accessToken, session.accessToken)
          const claims = yield* cognito.verify(renewal.accessToken)
          assert.strictEqual(claims.userId, session.profile.userId)
          const before = yield* cognito.verify(session.accessToken)
          if (before.isTokenIdShared) {
            assert.strictEqual(claims.tokenId, before.tokenId)
            assert.strictEqual(claims.signedInAtSeconds, before.signedInAtSeconds)
          }
          // Unless refresh tokens rotate, the one that was used remains valid.
          yield* cognito.refresh(Redacted.make(renewal.refreshToken ?? session.refreshToken))
        }),
      )

      it.effect("refresh rejects what is no refresh token", () =>
        Effect.gen(function* () {
          const cognito = yield* Cognito
          const { accessToken, refreshToken } = yield* login
          const cut = refreshToken.slice(0, -1)
          for (const token of [
            "",
            " ",
            "x",
            "\u0000",
            "☃",
            accessToken,
            cut,
            `${cut} `,
            "a".repeat(20_000),
          ]) {
            const error = yield* Effect.flip(cognito.refresh(Redacted.make(token)))
            assert.strictEqual(error._tag, "TokenRejected")
            if (token.length > 8) assert.notInclude(JSON.stringify(error), token)
          }
        }),
      )

      it.effect("revoke ends one sign-in and no other, and may be repeated", () =>
        Effect.gen(function* () {
          const cognito = yield* Cognito
          const session = yield* login
          const owner = yield* cognito.verify(session.accessToken)
          const gone = Redacted.make(session.refreshToken)
          const kept = Redacted.make((yield* login).refreshToken)
          assert.strictEqual(yield* cognito.revoke(gone, owner), "revoked")
          assert.include(["spent", "unknown"], yield* cognito.revoke(gone, owner))
          assert.strictEqual((yield* Effect.flip(cognito.refresh(gone)))._tag, "TokenRejected")
          yield* cognito.refresh(kept)
        }),
      )

      it.effect("revoke does not know what is no refresh token, and leaves somebody else's alone", () =>
        Effect.gen(function* () {
          const cognito = yield* Cognito
          const { accessToken, refreshToken } = yield* login
          const owner = yield* cognito.verify(accessToken)
          for (const token of ["", "x", "☃", accessToken])
            assert.strictEqual(yield* cognito.revoke(Redacted.make(token), owner), "unknown")
          const stranger = { ...owner, userId: UserId.make("somebody else") }
          assert.strictEqual(yield* cognito.revoke(Redacted.make(refreshToken), stranger), "foreign")
          yield* cognito.refresh(Redacted.make(refreshToken))
        }),
      )

      it.effect("profile gives the user of the token", () =>
        Effect.gen(function* () {
          const session = yield* login
          const profile = yield* (yield* Cognito).profile(session.accessToken)
          assert.deepStrictEqual(profile, session.profile)
        }),
      )

      it.effect("check succeeds", () => Effect.flatMap(Cognito, (cognito) => cognito.check))
    },
  )
}
