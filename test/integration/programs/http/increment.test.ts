import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import { encodeIncrement } from "../../../../src/domain/Messages.ts"
import { UserId } from "../../../../src/domain/Score.ts"
import { type ReceivedMessage, Sqs } from "../../../../src/services/Sqs/Sqs.ts"
import { api, ask, bearer, Engine, increment, postJson, score, signIn } from "./fixtures.ts"

const INCREMENTED = '{"message":"Score incremented"}'
const PLAYERS = 4
const OPTIONS = { timeout: "30 seconds", excludeTestServices: true } as const

const figures = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly scores: number; readonly events: number }>`
select coalesce((select sum(score) from scores), 0)::int as scores, coalesce((select sum(coalesce(points, amount)) from score_events), 0)::int as events`
  return row
})

/** Takes everything from the queue. */
const drainQueue = Effect.gen(function* () {
  const sqs = yield* Sqs
  const all: Array<ReceivedMessage> = []
  while (true) {
    const batch = yield* sqs.receive
    if (batch.length === 0) return all
    all.push(...batch)
    yield* sqs.delete(batch.map(({ receipt }) => receipt))
  }
})

layer(Engine.layer, OPTIONS)("POST /scores/increment", (it) => {
  it.layer(api({ players: PLAYERS }))("with four players", (it) => {
    it.effect("counts 1 for the player of the token, whatever the body says", () =>
      Effect.gen(function* () {
        const token = yield* signIn(1)
        const before = yield* figures
        const other = JSON.stringify({ userId: "other", email: "player2@example.com", amount: 100, score: 9 })
        const bodies: ReadonlyArray<readonly [string | undefined, string]> = [
          [undefined, ""],
          ["application/json", other],
          ["application/json", "{"],
          ["text/plain", "hello"],
          ["application/x-www-form-urlencoded", "amount=5"],
          ["multipart/form-data; boundary=x", "--x--"],
          ["application/octet-stream", "\u0000\u0001"],
        ]
        for (const [type, body] of bodies) {
          const headers = type === undefined ? {} : { "content-type": type }
          const answer = yield* increment(token, { headers, body })
          assert.deepStrictEqual([answer.status, answer.body], [200, INCREMENTED], type)
          assert.match(String(answer.headers["content-type"]), /^application\/json/)
        }
        const after = yield* figures
        assert.strictEqual((after?.scores ?? 0) - (before?.scores ?? 0), bodies.length)
        const sql = yield* SqlClient.SqlClient
        const raised = yield* sql<{
          readonly email: string
        }>`select email from scores join users on id = user_id`
        assert.deepStrictEqual(
          raised.map(({ email }) => email),
          ["player1@example.com"],
        )
      }),
    )

    it.effect("answers 401 with a challenge to everything that is no valid access token", () =>
      Effect.gen(function* () {
        const token = yield* signIn()
        const before = yield* figures
        const authorizations = [
          undefined,
          "",
          "Basic cGxheWVyOnBhc3M=",
          "Bearer",
          "Bearer ",
          "Bearer garbage",
          "Bearer a.b.c",
          token,
          `Bearer ${token.slice(0, -4)}`,
          `Bearer ${token} ${token}`,
        ]
        const bodies = new Set<string>()
        for (const authorization of authorizations) {
          const headers = authorization === undefined ? {} : { authorization }
          const answer = yield* ask("/scores/increment", { method: "POST", headers })
          assert.strictEqual(answer.status, 401, authorization)
          assert.match(String(answer.headers["www-authenticate"]), /^Bearer /)
          bodies.add(answer.body)
        }
        assert.strictEqual(bodies.size, 1)
        assert.deepStrictEqual(yield* figures, before)
      }),
    )

    it.effect("counts concurrent increments once each, and queues one message for each, byte for byte", () =>
      Effect.gen(function* () {
        yield* drainQueue
        const before = yield* figures
        const tokens = yield* Effect.forEach(
          Array.from({ length: PLAYERS }, (_, index) => index),
          signIn,
        )
        const answers = yield* Effect.forEach(
          Array.from({ length: 50 }, (_, index) => tokens[index % PLAYERS] ?? ""),
          (token) => increment(token),
          { concurrency: "unbounded" },
        )
        assert.deepStrictEqual(
          [...new Set(answers.map(({ status, body }) => `${status} ${body}`))],
          [`200 ${INCREMENTED}`],
        )

        const after = yield* figures
        assert.strictEqual((after?.scores ?? 0) - (before?.scores ?? 0), answers.length)
        assert.strictEqual(after?.events, after?.scores)

        const sql = yield* SqlClient.SqlClient
        const events = yield* sql<{ readonly id: string; readonly user_id: string; readonly email: string }>`
select e.id::text as id, user_id, email from score_events e join users u on u.id = user_id order by e.id desc limit ${answers.length}`
        const messages = yield* drainQueue
        assert.deepStrictEqual(
          messages.map(({ attributes, body }) => `${attributes["eventId"]} ${body}`).toSorted(),
          events
            .map(
              ({ id, user_id, email }) => `${id} ${encodeIncrement({ userId: UserId.make(user_id), email })}`,
            )
            .toSorted(),
        )
        assert.match(
          messages[0]?.body ?? "",
          /^\{"userId":"[^"]+","email":"[^"]+","type":"score\.increment"\}$/,
        )
      }),
    )
  })

  it.effect("a body names neither the player nor the amount", () =>
    Effect.gen(function* () {
      const token = yield* signIn()
      for (const body of [
        { amount: 1000 },
        { userId: "other", email: "other@example.com", score: 99, amount: -5 },
        [1, 2],
        "not json",
      ]) {
        const options = postJson(body)
        assert.strictEqual((yield* increment(token, options)).status, 200)
      }
      assert.strictEqual(yield* score, 4)
      const { body } = yield* ask("/users/me/history", { headers: bearer(token) })
      assert.notMatch(body, /other|1000/)
    }).pipe(Effect.provide(api())),
  )
})
