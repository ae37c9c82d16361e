import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import { Agent } from "node:http"
import { RedisFailure } from "../../../../src/services/Redis/Redis.ts"
import { request, until } from "../../../support/fixtures.ts"
import { api, ask, Engine, Log, login, logout, origin, redisWith } from "./fixtures.ts"

const OPTIONS = { timeout: "60 seconds", excludeTestServices: true } as const

const CONNECTIONS = 64
const POLLS = 6

const LogLine = Schema.fromJsonString(Schema.Struct({ annotations: Schema.Struct({ port: Schema.Int }) }))

/** The origin of the port for operators, from the log. */
const management = Effect.gen(function* () {
  const line = (yield* Log).find((text) => text.includes("Health and metrics are served")) ?? ""
  return `http://127.0.0.1:${Schema.decodeUnknownSync(LogLine)(line).annotations.port}`
})

const decodeRefusal = Schema.decodeUnknownSync(
  Schema.fromJsonString(Schema.Struct({ status: Schema.Literal(503), dependency: Schema.String })),
)

/**
 * Asks on all connections for pages that nobody has asked for before, until the scope ends; all must be refused, with a
 * time to wait. Gives how often which dependency was named.
 */
const flood = Effect.gen(function* () {
  const url = yield* origin
  const agent = yield* Effect.acquireRelease(
    Effect.sync(() => new Agent({ keepAlive: true, maxSockets: CONNECTIONS })),
    (opened) => Effect.sync(() => opened.destroy()),
  )
  const refusals = new Map<string, number>()
  let n = 0
  const one = Effect.suspend(() => request(`${url}/scores/page?after=1.${n++}.0`, { agent })).pipe(
    Effect.map(({ body, headers }) => {
      const { dependency } = decodeRefusal(body)
      assert.isAtLeast(Number(headers["retry-after"]), 1)
      refusals.set(dependency, (refusals.get(dependency) ?? 0) + 1)
    }),
  )
  const asking = yield* Effect.all(
    Array.from({ length: CONNECTIONS }, () => Effect.forever(one)),
    { concurrency: "unbounded" },
  ).pipe(Effect.forkScoped)
  return { refusals, asking }
})

const away = new RedisFailure({ operation: "readBoard", cause: new Error("away") })

/** An API whose board comes from PostgreSQL alone, and to which the flood comes from many addresses. */
const flooded = api({
  env: { MANAGEMENT_PORT: "0", PAGE_RATE_LIMIT_ADDRESS: "0" },
  replacing: redisWith({ readBoard: Effect.fail(away) }),
})

/** Readiness, the board, a sign-in with its registration, and logouts. */
const everythingElseWorks = Effect.gen(function* () {
  const operators = yield* management
  const { accessToken, refreshToken } = yield* login
  for (let poll = 0; poll < POLLS; poll++) {
    const { body } = yield* request(`${operators}/health/ready`)
    assert.include(body, '"postgresql":"up"')
    assert.strictEqual((yield* ask("/scores")).status, 200)
    // A repeat of a logout stores it again.
    assert.strictEqual((yield* logout(accessToken, refreshToken)).status, 204)
  }
})

layer(Engine.layer, OPTIONS)("GET /scores/page on many connections", (it) => {
  it.effect("takes no connection from readiness, the board, sign-ins and logouts", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      // Every page waits for this table, until its statement has waited for a second.
      const locked = Effect.gen(function* () {
        yield* sql`lock table rank_node in access exclusive mode`
        const { refusals, asking } = yield* flood
        // Two at a time wait for the table, and the others do not wait for them.
        yield* until(
          "pages are refused",
          Effect.sync(() => refusals.get("capacity") ?? 0),
          (refused) => refused > CONNECTIONS,
        )
        yield* everythingElseWorks
        assert.isUndefined(asking.pollUnsafe(), "a page was answered otherwise")
        assert.isAbove(refusals.get("capacity") ?? 0, 10 * (refusals.get("database") ?? 0))
      })
      yield* Effect.scoped(sql.withTransaction(locked))
      assert.strictEqual((yield* ask("/scores/page")).status, 200)
    }).pipe(Effect.provide(flooded)),
  )
})
