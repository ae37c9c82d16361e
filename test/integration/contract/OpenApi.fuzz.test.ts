import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { ApiServer } from "../../../src/programs/http/ApiServer.ts"
import { RedisFailure } from "../../../src/services/Redis/Redis.ts"
import { makeReceiptKey } from "../../support/engines/ReceiptSigner.ts"
import { type Answer, exchange, temporaryFolder } from "../../support/fixtures.ts"
import {
  api,
  ask,
  cognitoWith,
  Engine,
  increment,
  redisWith,
  signIn,
  sqlWith,
} from "../programs/http/fixtures.ts"
import { casesOf } from "./contractCases.ts"
import {
  complaints,
  contract,
  eachAnswers,
  nobody,
  parseProblem,
  SEED,
  send,
  signInAs,
} from "./contractFixtures.ts"

const OPTIONS = { timeout: "30 seconds", excludeTestServices: true } as const

layer(Engine.layer, OPTIONS)("The contract", (it) => {
  it.layer(api({ players: 3, env: { UNAUTHORIZED_RATE_LIMIT_ADDRESS: "0" } }))(
    "of a healthy server",
    (it) => {
      it.effect(
        "holds for requests of all kinds",
        () =>
          Effect.gen(function* () {
            const { operations, judge } = yield* contract
            const player = yield* signInAs(0)
            // A sign-out ends its own sign-in alone.
            const leaving = yield* signInAs(1)
            const cases = yield* Effect.forEach(operations, (operation) => {
              const { headers, bodyOf } = operation.operationId === "logout" ? leaving : player
              return casesOf(operation, {
                seed: SEED,
                headers: operation.needsToken ? headers : {},
                base: bodyOf(operation),
              })
            })
            const outcomes = yield* Effect.forEach(
              cases.flat(),
              (one) =>
                Effect.map(ask(one.path, one.request), (answer) => ({
                  seen: `${one.operation.operationId} ${answer.status}`,
                  wrong: complaints(judge, one, answer),
                })),
              { concurrency: 2 },
            )
            assert.deepStrictEqual(
              outcomes.flatMap(({ wrong }) => wrong),
              [],
            )
            // All that a healthy server can answer to these requests, it has answered.
            assert.deepStrictEqual([...new Set(outcomes.map(({ seen }) => seen))].toSorted(), [
              "getBoard 200",
              "getHistory 200",
              "getHistory 400",
              "getHistory 401",
              "getPage 200",
              "getPage 400",
              "getStanding 200",
              "getStanding 401",
              "incrementScore 200",
              "incrementScore 400",
              "incrementScore 401",
              "incrementScore 413",
              "login 200",
              "login 400",
              "login 401",
              "login 413",
              "login 415",
              "logout 204",
              "logout 400",
              "logout 401",
              "logout 413",
              "logout 415",
              "refresh 200",
              "refresh 400",
              "refresh 401",
              "refresh 413",
              "refresh 415",
            ])
          }),
        // A thousand requests, one after the other in two lines.
        180_000,
      )

      it.effect("holds for 304, HEAD and a request without a Host", () =>
        Effect.gen(function* () {
          const { operations, judge } = yield* contract
          const player = yield* signInAs(0)
          const { port } = yield* ApiServer
          for (const operation of operations) {
            const { path, method } = operation
            const raw = yield* exchange(port, `${method} ${path} HTTP/1.1\r\nConnection: close\r\n\r\n`)
            assert.deepStrictEqual(judge(operation, parseProblem(raw)), [], `${path} without a Host`)
            if (method !== "GET") continue
            const { status, headers } = yield* send(operation, player)
            const head = yield* send({ ...operation, method: "HEAD" }, player)
            assert.deepStrictEqual([head.status, head.body], [status, ""], path)
            if (headers.etag === undefined) continue
            const unchanged = yield* send(operation, player, { "if-none-match": headers.etag })
            assert.strictEqual(unchanged.status, 304)
            assert.deepStrictEqual(judge(operation, unchanged), [])
          }
        }),
      )

      it.effect("holds for a player who is hidden from the board", () =>
        Effect.gen(function* () {
          const { operations, judge } = yield* contract
          const hidden = yield* signInAs(2)
          const operation = operations.find(({ operationId }) => operationId === "incrementScore")
          assert.isDefined(operation)
          assert.strictEqual((yield* send(operation, hidden)).status, 200)
          const sql = yield* SqlClient.SqlClient
          yield* sql`update scores set hidden = true
          where user_id = (select id from users where email = 'player2@example.com')`
          const answer = yield* send(operation, hidden)
          assert.deepStrictEqual([answer.status, judge(operation, answer)], [403, []])
          assert.include(answer.body, "urn:scoreboard:forbidden")
        }),
      )

      it.effect("is broken by wrong answers, and the judge says how", () =>
        Effect.gen(function* () {
          const { operations, judge } = yield* contract
          const login = operations.find(({ operationId }) => operationId === "login")
          const board = operations.find(({ operationId }) => operationId === "getBoard")
          assert.isDefined(login)
          assert.isDefined(board)
          const good = yield* send(board, yield* signInAs(0))
          assert.deepStrictEqual(judge(board, good), [])
          const broken: ReadonlyArray<readonly [expected: RegExp, change: Partial<Answer>]> = [
            [/status 418/, { status: 418 }],
            [/has a body/, { status: 304 }],
            [/no JSON/, { body: "{" }],
            [/wrong body/, { body: '{"scores":[{"email":"a","score":-1}]}' }],
            [/wrong body/, { body: '{"scores":[],"more":1}' }],
            [
              /wrong body/,
              {
                body: JSON.stringify({
                  scores: Array.from({ length: 11 }, () => ({ email: "a", score: 1 })),
                }),
              },
            ],
            [/content type text\/plain/, { headers: { ...good.headers, "content-type": "text/plain" } }],
            [/wrong etag/, { headers: { ...good.headers, etag: "no quotes" } }],
            [/lacks the header x-request-id/, { headers: { ...good.headers, "x-request-id": undefined } }],
          ]
          for (const [expected, change] of broken) {
            assert.match(judge(board, { ...good, ...change }).join("\n"), expected)
          }
          const limited = (retryAfter: string) => ({
            status: 429,
            headers: {
              ...good.headers,
              "content-type": "application/problem+json",
              "retry-after": retryAfter,
            },
            body: JSON.stringify({
              type: "urn:scoreboard:too-many-requests",
              title: "Too many requests",
              status: 429,
              retryAfterSeconds: 1,
            }),
          })
          assert.deepStrictEqual(judge(login, limited("1")), [])
          for (const wrong of ["1.5", "0", "soon", "01"]) {
            assert.match(judge(login, limited(wrong)).join("\n"), /wrong retry-after/, wrong)
          }
          const [one] = yield* casesOf(board, { seed: SEED, headers: {}, base: {} })
          assert.isDefined(one)
          assert.match(complaints(judge, { ...one, expected: 400 }, good).join("\n"), /200 instead of 400/)
        }),
      )
    },
  )

  const limits = {
    LOGIN_RATE_LIMIT: "3",
    LOGIN_RATE_LIMIT_ADDRESS: "4",
    INCREMENT_RATE_LIMIT: "1",
    INCREMENT_RATE_BURST: "1",
    UNAUTHORIZED_RATE_LIMIT_ADDRESS: "1",
    PAGE_RATE_LIMIT_ADDRESS: "3",
  }
  it.layer(api({ env: limits }))("of a server with low limits", (it) => {
    it.effect("holds for every 429", () =>
      Effect.gen(function* () {
        const { operations, judge } = yield* contract
        const token = yield* signIn()
        yield* eachAnswers(429, nobody, 6)
        yield* increment(token)
        const answer = yield* increment(token)
        assert.match(String(answer.headers["ratelimit-policy"]), /^"increment";q=1;w=1$/)
        const operation = operations.find(({ operationId }) => operationId === "incrementScore")
        assert.isDefined(operation)
        assert.deepStrictEqual([answer.status, judge(operation, answer)], [429, []])
      }),
    )
  })

  const cause = new Error("out of order")
  const withoutBoard = redisWith({
    readBoard: Effect.fail(new RedisFailure({ operation: "readBoard", cause })),
  })
  it.layer(api({ replacing: withoutBoard }))("of a server without a database", (it) => {
    it.effect("holds for every 503", () =>
      Effect.gen(function* () {
        const player = yield* signInAs(0)
        const sql = yield* SqlClient.SqlClient
        yield* sql`drop schema public cascade`
        yield* eachAnswers(503, player)
      }),
    )
  })

  const broken = Layer.mergeAll(
    cognitoWith({
      login: () => Effect.die(cause),
      refresh: () => Effect.die(cause),
      verify: () => Effect.die(cause),
    }),
    redisWith({ readBoard: Effect.die(cause) }),
    sqlWith(() => ({ page: () => Effect.die(cause) })),
  )
  it.layer(api({ replacing: broken }))("of a server with defects", (it) => {
    it.effect("holds for every 500", () =>
      Effect.gen(function* () {
        yield* eachAnswers(500, nobody)
      }),
    )
  })

  const withReceipts = Layer.unwrap(
    Effect.map(temporaryFolder, (folder) => {
      const file = join(folder, "keys.json")
      writeFileSync(file, JSON.stringify({ keys: [makeReceiptKey("EdDSA").jwk] }))
      return api({
        env: {
          ACTION_RECEIPTS: "required",
          ACTION_RECEIPT_AUDIENCE: "https://board.example.com",
          ACTION_RECEIPT_JWKS_FILE: file,
        },
      })
    }),
  )
  it.layer(withReceipts)("of a server that requires receipts", (it) => {
    it.effect("holds for every 403", () =>
      Effect.gen(function* () {
        yield* eachAnswers(403, yield* signInAs(0))
      }),
    )
  })
})
