import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { randomUUID } from "node:crypto"
import { writeFile } from "node:fs/promises"
import { createServer, type ServerResponse } from "node:http"
import { join } from "node:path"
import { listen } from "../../../support/engines/listen.ts"
import { makeReceiptKey, type ReceiptKey, signReceipt } from "../../../support/engines/ReceiptSigner.ts"
import { mintWith } from "../../../support/engines/TokenIssuer.ts"
import { temporaryFolder } from "../../../support/fixtures.ts"
import { api, Engine, increment, Log, score, signIn } from "./fixtures.ts"

const OPTIONS = { timeout: "60 seconds", excludeTestServices: true } as const
const AUDIENCE = "https://board.example.com"
const KEYS = { EdDSA: makeReceiptKey("EdDSA"), ES256: makeReceiptKey("ES256") }
const STRANGER = makeReceiptKey("EdDSA")

const Payload = Schema.fromJsonString(Schema.Struct({ sub: Schema.String }))
const subOf = (accessToken: string) =>
  Schema.decodeUnknownSync(Payload)(Buffer.from(accessToken.split(".")[1] ?? "", "base64url").toString()).sub

const nowSeconds = () => Math.floor(Date.now() / 1000)
const claimsFor = (accessToken: string) => ({
  sub: subOf(accessToken),
  aud: AUDIENCE,
  jti: randomUUID(),
  iat: nowSeconds(),
  exp: nowSeconds() + 60,
})
type Claims = ReturnType<typeof claimsFor>

const withReceipt = (accessToken: string, receipt: string) =>
  increment(accessToken, { headers: { "action-receipt": receipt } })

/** The keys in a file, and an API that asks for receipts. */
const required = Layer.unwrap(
  Effect.gen(function* () {
    const path = join(yield* temporaryFolder, "keys.json")
    const keySet = { keys: [KEYS.EdDSA.jwk, KEYS.ES256.jwk] }
    yield* Effect.promise(() => writeFile(path, JSON.stringify(keySet)))
    return api({
      players: 2,
      env: {
        ACTION_RECEIPTS: "required",
        ACTION_RECEIPT_AUDIENCE: AUDIENCE,
        ACTION_RECEIPT_JWKS_FILE: path,
        INCREMENT_RATE_LIMIT: "0",
      },
    })
  }),
)

type Forge = (good: Claims, other: string) => string
const FORGED: ReadonlyArray<readonly [title: string, forge: Forge]> = [
  ["none at all", () => ""],
  ["garbage", () => "x.y.z"],
  ["another player's", (good, other) => signReceipt(KEYS.EdDSA, { ...good, sub: other })],
  ["a key nobody knows", (good) => signReceipt(STRANGER, good)],
  ["a stranger's under a known kid", (good) => signReceipt(STRANGER, good, { kid: KEYS.EdDSA.kid })],
  ["a stranger's with its key in it", (good) => signReceipt(STRANGER, good, { jwk: STRANGER.jwk })],
  [
    "the other algorithm's key",
    (good) => signReceipt(KEYS.ES256, good, { kid: KEYS.EdDSA.kid, alg: "EdDSA" }),
  ],
  ["alg none", (good) => mintWith({ alg: "none" }, good, () => Buffer.alloc(0))],
  ["HS256", (good) => mintWith({ alg: "HS256", kid: KEYS.EdDSA.kid }, good, () => Buffer.alloc(32))],
  [
    "a changed claim",
    (good) => {
      const [header, , seal] = signReceipt(KEYS.EdDSA, good).split(".")
      return [
        header,
        Buffer.from(JSON.stringify({ ...good, jti: "other" })).toString("base64url"),
        seal,
      ].join(".")
    },
  ],
  ["an unknown critical header", (good) => signReceipt(KEYS.EdDSA, good, { crit: ["x"], x: 1 })],
  ["another audience", (good) => signReceipt(KEYS.EdDSA, { ...good, aud: "https://other.example" })],
  ["no audience", (good) => signReceipt(KEYS.EdDSA, { ...good, aud: undefined })],
  ["no subject", (good) => signReceipt(KEYS.EdDSA, { ...good, sub: undefined })],
  ["expired", (good) => signReceipt(KEYS.EdDSA, { ...good, exp: nowSeconds() - 1 })],
  ["no expiry", (good) => signReceipt(KEYS.EdDSA, { ...good, exp: undefined })],
  ["one that holds for an hour", (good) => signReceipt(KEYS.EdDSA, { ...good, exp: nowSeconds() + 3600 })],
  ["not yet valid", (good) => signReceipt(KEYS.EdDSA, { ...good, nbf: nowSeconds() + 100 })],
  ["issued in the future", (good) => signReceipt(KEYS.EdDSA, { ...good, iat: nowSeconds() + 100 })],
  ["no id", (good) => signReceipt(KEYS.EdDSA, { ...good, jti: undefined })],
  ["an empty id", (good) => signReceipt(KEYS.EdDSA, { ...good, jti: "" })],
  ["an id with spaces", (good) => signReceipt(KEYS.EdDSA, { ...good, jti: "a b" })],
  ["an id that is no text", (good) => signReceipt(KEYS.EdDSA, { ...good, jti: 7 })],
  ["more than 4 KiB", (good) => signReceipt(KEYS.EdDSA, { ...good, note: "x".repeat(5000) })],
]

layer(Engine.layer, OPTIONS)("Receipts", (it) => {
  it.layer(required)("that are required", (it) => {
    it.effect("count once each, however often they are sent, and under whichever key", () =>
      Effect.gen(function* () {
        const token = yield* signIn()
        const before = yield* score
        for (const key of [KEYS.EdDSA, KEYS.ES256]) {
          const receipt = signReceipt(key, claimsFor(token))
          const answers = yield* Effect.all(
            Array.from({ length: 10 }, (_, n) =>
              increment(token, {
                headers: { "action-receipt": receipt, "idempotency-key": `key ${n}`.replace(" ", "-") },
              }),
            ),
            { concurrency: "unbounded" },
          )
          for (const { status } of answers) assert.strictEqual(status, 200)
        }
        assert.strictEqual(yield* score, before + 2)
      }),
    )

    for (const [title, forge] of FORGED) {
      it.effect(`are not ${title}: 403, and nothing is counted`, () =>
        Effect.gen(function* () {
          const [token, other] = [yield* signIn(0), yield* signIn(1)]
          const before = yield* score
          const answer = yield* withReceipt(token, forge(claimsFor(token), subOf(other)))
          assert.strictEqual(answer.status, 403)
          assert.include(answer.body, "urn:scoreboard:invalid-receipt")
          assert.strictEqual(yield* score, before)
        }),
      )
    }

    it.effect("do not stand in for an access token", () =>
      Effect.gen(function* () {
        const token = yield* signIn()
        const receipt = signReceipt(KEYS.EdDSA, claimsFor(token))
        assert.strictEqual((yield* withReceipt(receipt, receipt)).status, 401)
        assert.strictEqual((yield* withReceipt(token, token)).status, 403)
      }),
    )
  })

  /** The backend's address of its keys, in the hands of the test. */
  const keyServer = Effect.gen(function* () {
    const state = { answer: (response: ServerResponse) => void response.writeHead(500).end(), requests: 0 }
    const server = createServer((_request, response) => {
      state.requests += 1
      state.answer(response)
    })
    const port = yield* listen(server, () => server.closeAllConnections())
    return { state, url: `http://127.0.0.1:${port}/keys` }
  })
  const serve =
    (...keys: ReadonlyArray<ReceiptKey>) =>
    (response: ServerResponse) =>
      void response
        .writeHead(200, { "content-type": "application/json" })
        .end(JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }))

  it.effect(
    "whose keys cannot be had are 503, never 403; they are fetched once, and a stranger's kid costs nothing more",
    () =>
      Effect.gen(function* () {
        const { state, url } = yield* keyServer
        yield* Effect.gen(function* () {
          const token = yield* signIn()
          const answer = yield* withReceipt(token, signReceipt(KEYS.EdDSA, claimsFor(token)))
          assert.strictEqual(answer.status, 503)
          assert.isDefined(answer.headers["retry-after"])
          state.answer = serve(KEYS.EdDSA)
          state.requests = 0
          for (let n = 0; n < 5; n++) {
            const good = yield* withReceipt(token, signReceipt(KEYS.EdDSA, claimsFor(token)))
            assert.strictEqual(good.status, 200)
            const bad = yield* withReceipt(token, signReceipt(STRANGER, claimsFor(token)))
            assert.strictEqual(bad.status, 403)
          }
          assert.isAtMost(state.requests, 2)
          assert.strictEqual(yield* score, 5)
          assert.notInclude((yield* Log).join("\n"), "eyJ")
        }).pipe(
          Effect.provide(
            api({
              env: {
                ACTION_RECEIPTS: "required",
                ACTION_RECEIPT_AUDIENCE: AUDIENCE,
                ACTION_RECEIPT_JWKS_URI: url,
              },
            }),
          ),
        )
      }),
  )

  it.effect("are ignored where they are off", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* withReceipt(yield* signIn(), "garbage")).status, 200)
    }).pipe(Effect.provide(api())),
  )

  for (const [title, env] of [
    ["no audience", { ACTION_RECEIPT_JWKS_URI: "https://example.com/keys" }],
    ["no keys", { ACTION_RECEIPT_AUDIENCE: AUDIENCE }],
    [
      "a file that is not there",
      { ACTION_RECEIPT_AUDIENCE: AUDIENCE, ACTION_RECEIPT_JWKS_FILE: "/nothing/here" },
    ],
    ["another mode", { ACTION_RECEIPTS: "on" }],
  ] as const) {
    it.effect(`with ${title} let nothing start`, () =>
      Effect.gen(function* () {
        const start = Effect.provide(Effect.void, api({ env: { ACTION_RECEIPTS: "required", ...env } }))
        yield* Effect.flip(start)
      }),
    )
  }
})
