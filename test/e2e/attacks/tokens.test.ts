import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { createHmac, randomBytes, sign } from "node:crypto"
import { json, key } from "../../support/engines/FakeCognito.ts"
import { makeIssuerKey, mint, mintWith } from "../../support/engines/TokenIssuer.ts"
import { exchange, until } from "../../support/fixtures.ts"
import { ask, bearer, increment, isBehindEdge, post, tokenOf, World } from "./fixtures.ts"

const OPTIONS = { timeout: "90 seconds", excludeTestServices: true } as const
const VICTIM = "victim"
const stranger = makeIssuerKey()

type Claims = Readonly<Record<string, unknown>>
/** Makes a token out of the claims of a genuine one; `with` gives those claims with a change. */
type Forge = (good: Claims, change: (change: Claims) => Claims) => string

const hmac = (secret: string) => (input: string) => createHmac("sha256", secret).update(input).digest()
const pem = key.publicKey.export({ format: "pem", type: "spki" }).toString()
const nothing = () => Buffer.alloc(0)
const nowSeconds = () => Math.floor(Date.now() / 1000)
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url")
const replaced = (token: string, index: 0 | 1 | 2, text: string) => {
  const parts = token.split(".")
  parts[index] = text
  return parts.join(".")
}
const flipped = (token: string) => {
  const seal = Buffer.from(token.split(".")[2] ?? "", "base64url")
  seal[seal.length >> 1] = (seal[seal.length >> 1] ?? 0) ^ 1
  return replaced(token, 2, seal.toString("base64url"))
}
const byKey = (header: Claims) => (good: Claims) => mint(key, good, header)
const byStranger = (header: Claims) => (good: Claims) => mint(stranger, good, header)

const FORGED: ReadonlyArray<readonly [title: string, forge: Forge]> = [
  ["alg none", (good) => mintWith({ alg: "none" }, good, nothing)],
  ["alg none with a kid", (good) => mintWith({ alg: "none", kid: key.kid }, good, nothing)],
  ["alg NONE", (good) => mintWith({ alg: "NONE", kid: key.kid }, good, nothing)],
  ["no alg", (good) => mintWith({ kid: key.kid }, good, nothing)],
  ["HS256 by the public key as PEM", (good) => mintWith({ alg: "HS256", kid: key.kid }, good, hmac(pem))],
  [
    "HS256 by the public key as JWK",
    (good) => mintWith({ alg: "HS256", kid: key.kid }, good, hmac(JSON.stringify(key.jwk))),
  ],
  ["HS256 by nothing", (good) => mintWith({ alg: "HS256", kid: key.kid }, good, hmac(""))],
  ["RS256 that is RS512", byKey({ alg: "RS512" })],
  [
    "a real RS512 signature",
    (good) =>
      mintWith({ alg: "RS512", kid: key.kid }, good, (input) =>
        sign("RSA-SHA512", Buffer.from(input), key.privateKey),
      ),
  ],
  ["an unknown kid", byStranger({})],
  ["a stranger's signature under a known kid", byStranger({ kid: key.kid })],
  ["no kid", byKey({ kid: undefined })],
  ["a kid that is a path", byStranger({ kid: "../../../../dev/null" })],
  ["a kid that is SQL", byStranger({ kid: "x' union select 'x" })],
  ["a kid that is an address", byStranger({ kid: "http://127.0.0.1:1/keys" })],
  ["a kid that is an object", byStranger({ kid: { __proto__: null, toString: 1 } })],
  ["a kid that is __proto__", byStranger({ kid: "__proto__" })],
  ["its key in the header", byStranger({ jwk: stranger.jwk })],
  ["its key in the header under a known kid", byStranger({ jwk: stranger.jwk, kid: key.kid })],
  ["an address of its keys", byStranger({ jku: "http://127.0.0.1:1/keys" })],
  ["an address of its certificate", byStranger({ x5u: "http://127.0.0.1:1/cert" })],
  [
    "a certificate",
    byStranger({ x5c: [stranger.publicKey.export({ format: "der", type: "spki" }).toString("base64")] }),
  ],
  [
    "another issuer",
    (_good, change) =>
      mint(key, change({ iss: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other" })),
  ],
  ["the issuer with a slash", (good) => mint(key, { ...good, iss: `${String(good["iss"])}/` })],
  ["no issuer", (_good, change) => mint(key, change({ iss: undefined }))],
  ["another client", (_good, change) => mint(key, change({ client_id: "other" }))],
  [
    "another client, ours as audience",
    (_good, change) => mint(key, change({ client_id: "other", aud: "client" })),
  ],
  ["no client", (_good, change) => mint(key, change({ client_id: undefined }))],
  ["an id token", (_good, change) => mint(key, change({ token_use: "id", aud: "client" }))],
  ["no use", (_good, change) => mint(key, change({ token_use: undefined }))],
  ["expired", (_good, change) => mint(key, change({ exp: nowSeconds() - 1 }))],
  ["no expiry", (_good, change) => mint(key, change({ exp: undefined }))],
  ["an expiry that is a text", (_good, change) => mint(key, change({ exp: "9999999999" }))],
  [
    "an expiry without end",
    (good) =>
      mint(key, good).replace(/^([^.]+)\.[^.]+/, `$1.${Buffer.from('{"exp":1e999}').toString("base64url")}`),
  ],
  ["not yet valid", (_good, change) => mint(key, change({ nbf: nowSeconds() + 600 }))],
  ["issued in the future", (_good, change) => mint(key, change({ iat: nowSeconds() + 600 }))],
  ["an unknown critical header", byKey({ crit: ["exp2"], exp2: 1 })],
  ["an empty list of critical headers", byKey({ crit: [] })],
  ["no subject", (_good, change) => mint(key, change({ sub: undefined }))],
  ["an empty subject", (_good, change) => mint(key, change({ sub: "" }))],
  ["a subject that is a number", (_good, change) => mint(key, change({ sub: 7 }))],
  ["a subject that is a list", (_good, change) => mint(key, change({ sub: [VICTIM] }))],
  ["a changed subject", (good) => replaced(mint(key, { ...good, sub: "attacker" }), 1, part(good))],
  ["a cut signature", (good) => mint(key, good).slice(0, -10)],
  ["no signature", (good) => replaced(mint(key, good), 2, "")],
  ["a flipped bit in the signature", (good) => flipped(mint(key, good))],
  ["a signature of zeros", (good) => mintWith({ alg: "RS256", kid: key.kid }, good, () => Buffer.alloc(256))],
  ["a random signature", (good) => mintWith({ alg: "RS256", kid: key.kid }, good, () => randomBytes(256))],
  ["two parts", (good) => mint(key, good).split(".").slice(0, 2).join(".")],
  ["four parts", (good) => `${mint(key, good)}.e30`],
  ["a payload that is a list", () => mint(key, [])],
  ["a payload that is null", () => mint(key, null)],
  ["a header that is null", (good) => replaced(mint(key, good), 0, part(null))],
  ["more than 8 KiB", (_good, change) => mint(key, change({ note: "x".repeat(9000) }))],
]

/** Header values beside the genuine form; `token` is genuine. */
const ODD_HEADERS: ReadonlyArray<readonly [title: string, value: (token: string) => string]> = [
  ["nothing", () => ""],
  ["only the scheme", () => "Bearer"],
  ["the scheme and spaces", () => "Bearer   "],
  ["only the token", (token) => token],
  ["another scheme", (token) => `Basic ${token}`],
  ["a glued scheme", (token) => `Bearer${token}`],
  ["a tab in between", (token) => `Bearer\t${token}`],
  ["two tokens", (token) => `Bearer ${token} ${token}`],
  ["two credentials", (token) => `Bearer ${token}, Bearer ${token}`],
  ["quotes", (token) => `Bearer "${token}"`],
  ["a parameter", (token) => `Bearer token=${token}`],
  ["percent signs", (token) => `Bearer ${token.replaceAll(".", "%2E")}`],
]

layer(World.layer({ UNAUTHORIZED_RATE_LIMIT_ADDRESS: "0" }), OPTIONS)("A forged or stolen token", (it) => {
  it.effect("is told from a genuine one, which both processes take", () =>
    Effect.gen(function* () {
      const { score } = yield* World
      const before = yield* score
      const token = yield* tokenOf(VICTIM)
      for (const process of [0, 1] as const)
        assert.strictEqual((yield* increment(token, process)).status, 200)
      assert.strictEqual(yield* score, before + 2)
    }),
  )

  let turn = 0
  /** The attack on either process in turn: one answer for all of them, and no score moves. */
  const refused = (headers: Readonly<Record<string, string>>) =>
    Effect.gen(function* () {
      const { score } = yield* World
      const before = yield* score
      const process = turn++ % 2 === 0 ? 0 : 1
      const answer = yield* ask("/scores/increment", { method: "POST", headers }, process)
      assert.strictEqual(answer.status, 401, answer.body)
      assert.strictEqual(answer.headers["www-authenticate"], 'Bearer realm="scoreboard"')
      assert.strictEqual(
        answer.body,
        '{"type":"urn:scoreboard:unauthorized","status":401,"title":"A valid access token is required"}',
      )
      assert.strictEqual(yield* score, before)
    })

  for (const [title, forge] of FORGED) {
    it.effect(`with ${title} is 401`, () =>
      Effect.gen(function* () {
        const { claims } = yield* World
        yield* refused(bearer(forge(claims(VICTIM), (change) => claims(VICTIM, change))))
      }),
    )
  }

  for (const [title, value] of ODD_HEADERS) {
    it.effect(`in a header of ${title} is 401`, () =>
      Effect.gen(function* () {
        yield* refused({ authorization: value(yield* tokenOf(VICTIM)) })
      }),
    )
  }

  it.effect("in two headers is 401, whichever is first", () =>
    Effect.gen(function* () {
      const { urls, score } = yield* World
      const token = yield* tokenOf(VICTIM)
      const before = yield* score
      for (const values of [
        [token, "x"],
        ["x", token],
        [token, token],
      ]) {
        const lines = values.map((value) => `Authorization: Bearer ${value}`).join("\r\n")
        const answer = yield* exchange(
          Number(new URL(urls[0]).port),
          `POST /scores/increment HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n${lines}\r\n\r\n`,
        )
        assert.match(answer, /^HTTP\/1\.1 401 /)
      }
      assert.strictEqual(yield* score, before)
    }),
  )

  it.effect("in the query or in the body is not seen", () =>
    Effect.gen(function* () {
      const { score } = yield* World
      const token = yield* tokenOf(VICTIM)
      const before = yield* score
      for (const name of ["access_token", "token", "authorization"]) {
        assert.strictEqual((yield* ask(`/scores/increment?${name}=${token}`, { method: "POST" })).status, 401)
        assert.strictEqual((yield* ask("/scores/increment", post({ [name]: token }))).status, 401)
      }
      assert.strictEqual(yield* score, before)
    }),
  )

  it.effect("that was logged out is refused by the other process, also when Redis lost everything", () =>
    Effect.gen(function* () {
      const { score, flushRedis } = yield* World
      const session = { origin_jti: "session-of-a-thief" }
      const token = yield* tokenOf("thief", session)
      const renewed = yield* tokenOf("thief", session)
      assert.strictEqual((yield* increment(token, 1)).status, 200)
      const before = yield* score
      const leave = (content: object) => ask("/users/auth/logout", post(content, bearer(token)), 0)
      // Any text as refresh token ends the sign-in all the same.
      assert.strictEqual((yield* leave({ refreshToken: "refresh" })).status, 400)
      for (const stolen of [token, renewed]) {
        assert.strictEqual((yield* increment(stolen, 1)).status, 401)
        assert.strictEqual((yield* ask("/users/me/history", { headers: bearer(stolen) }, 1)).status, 401)
      }
      yield* flushRedis
      assert.strictEqual((yield* increment(token, 1)).status, 401)
      assert.strictEqual(yield* score, before)
    }),
  )

  it.effect("of generated garbage never breaks a process", () =>
    Effect.gen(function* () {
      const { urls, score } = yield* World
      const port = Number(new URL(urls[0]).port)
      const before = yield* score
      const good = yield* tokenOf(VICTIM)
      for (let n = 0; n < 150; n++) {
        const bytes = randomBytes(1 + (n % 60))
        const garbage = [
          bytes.toString("latin1").replaceAll(/[\0\r\n]/g, "?"),
          bytes.toString("base64url"),
          `${bytes.toString("base64url")}.${bytes.toString("base64url")}.${bytes.toString("base64url")}`,
          replaced(good, n % 3 === 0 ? 0 : n % 3 === 1 ? 1 : 2, bytes.toString("base64url")),
        ][n % 4]
        const name = n % 5 === 0 ? "Idempotency-Key" : "Authorization"
        const value = name === "Authorization" ? `Bearer ${garbage}` : garbage
        const head = `POST /scores/increment HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0`
        const answer = yield* exchange(port, Buffer.from(`${head}\r\n${name}: ${value}\r\n\r\n`, "latin1"))
        assert.match(answer, /^HTTP\/1\.1 40[01] /, JSON.stringify(value))
      }
      assert.strictEqual(yield* score, before)
      assert.strictEqual((yield* increment(good)).status, 200)
    }),
  )

  it.effect.prop("of any text is 400 or 401", [Schema.String, Schema.String], ([one, other]) =>
    Effect.gen(function* () {
      const text = Buffer.from(`${one}.${other}`).toString("base64url")
      for (const token of [text, `${text}.${text}.${text}`]) {
        const { status } = yield* increment(token)
        assert.include(isBehindEdge ? [401, 429] : [401], status)
      }
    }),
  )

  it.effect("by a key of yesterday is refused as soon as a token of today came, without a restart", () =>
    Effect.gen(function* () {
      const { cognito, score } = yield* World
      const next = makeIssuerKey()
      cognito.answers.keys = json(200, { keys: [next.jwk] })
      const fresh = yield* tokenOf(VICTIM, {}, next)
      for (const process of [0, 1] as const) {
        yield* until("the new key", increment(fresh, process), ({ status }) => status === 200, "15 seconds")
        const before = yield* score
        assert.strictEqual((yield* increment(yield* tokenOf(VICTIM), process)).status, 401)
        assert.strictEqual(yield* score, before)
      }
    }),
  )
})
