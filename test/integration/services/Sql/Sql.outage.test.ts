import { assert, layer } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import { UserId } from "../../../../src/domain/Score.ts"
import type { Sql } from "../../../../src/services/Sql/Sql.ts"
import * as TcpProxy from "../../../support/engines/TcpProxy.ts"
import { until } from "../../../support/fixtures.ts"
import { by, Engine, serviceOn, setup } from "./fixtures.ts"
import { timedRunning } from "../../../support/stalls.ts"

const OPTIONS = { timeout: "60 seconds", excludeTestServices: true } as const

/** For a test behind a network of its own that waits for time to pass: with its neighbours. */
const WAITING = { concurrent: true } as const

/** Every operation of the service. */
const operations = (sql: Sql["Service"]) => [
  sql.increment([by("ada")]),
  sql.top(10),
  sql.register(UserId.make("ada"), "ada@example.com"),
  sql.leaseOutbox({ leaseSeconds: 10, limit: 10 }),
  sql.deleteOutbox(["1"]),
  sql.history({ userId: UserId.make("ada"), tokenId: undefined, after: undefined, limit: 10 }),
  sql.ping,
]

/** Runs every operation at once, several times over: all fail as `SqlFailure`, each within the limit. */
const allFail = (sql: Sql["Service"], limit: Duration.Input) =>
  Effect.gen(function* () {
    const asked = [...operations(sql), ...operations(sql), ...operations(sql)]
    const failures = yield* Effect.forEach(asked, (operation) => timedRunning(Effect.flip(operation)), {
      concurrency: "unbounded",
    })
    for (const [elapsed, failure] of failures) {
      assert.strictEqual(failure._tag, "SqlFailure")
      assert.isBelow(elapsed, Duration.toMillis(limit), failure.operation)
    }
  })

const recovers = (sql: Sql["Service"]) =>
  Effect.gen(function* () {
    yield* until("PostgreSQL answers", Effect.exit(sql.ping), Exit.isSuccess)
    for (const operation of [...operations(sql), ...operations(sql)]) yield* operation
  })

/** The service behind a network that can break. */
const proxied = Effect.gen(function* () {
  const { url } = yield* setup
  const direct = new URL(Redacted.value(url))
  const proxy = yield* TcpProxy.make(Number(direct.port))
  direct.port = String(proxy.port)
  return { proxy, url: Redacted.make(direct.href) }
})

layer(Engine.layer, OPTIONS)("Sql without PostgreSQL", (it) => {
  it.effect("works again after a restart of the server", () =>
    Effect.gen(function* () {
      const { stop, start } = yield* Engine
      const { sql } = yield* setup
      for (const operation of operations(sql)) yield* operation
      const { version } = yield* sql.top(10)
      yield* stop
      yield* allFail(sql, "1 second")
      yield* start
      yield* recovers(sql)
      assert.isAbove((yield* sql.top(10)).version, version)
    }),
  )

  it.effect("fails within a second while connections are refused, and recovers", () =>
    Effect.gen(function* () {
      const { proxy, url } = yield* proxied
      const sql = yield* serviceOn(url)
      yield* proxy.refuse
      yield* allFail(sql, "1 second")
      yield* proxy.forward
      yield* recovers(sql)
    }),
  )

  it.effect(
    "fails within three seconds while nothing is answered, and recovers",
    () =>
      Effect.gen(function* () {
        const { proxy, url } = yield* proxied
        const sql = yield* serviceOn(url)
        for (const operation of operations(sql)) yield* operation
        yield* proxy.stall
        yield* allFail(sql, "3 seconds")
        yield* allFail(sql, "3 seconds")
        yield* proxy.forward
        yield* recovers(sql)
      }),
    WAITING,
  )

  it.effect(
    "fails to start within 15 seconds, refused or unresponsive",
    () =>
      Effect.gen(function* () {
        const { proxy, url } = yield* proxied
        const start = Effect.flip(Effect.scoped(serviceOn(url))).pipe(timedRunning)
        yield* proxy.refuse
        const [refused, first] = yield* start
        assert.strictEqual(first.operation, "migrate")
        assert.isBelow(refused, 10_000)
        yield* proxy.stall
        const [unresponsive, second] = yield* start
        assert.strictEqual(second.operation, "migrate")
        assert.isBelow(unresponsive, 10_000)
      }),
    WAITING,
  )

  it.effect(
    "abandons an unresponsive server in time",
    () =>
      Effect.gen(function* () {
        const { proxy, url } = yield* proxied
        const [elapsed] = yield* timedRunning(
          Effect.scoped(
            Effect.gen(function* () {
              const sql = yield* serviceOn(url)
              for (const operation of operations(sql)) yield* operation
              yield* proxy.stall
              yield* Effect.flip(sql.ping)
            }),
          ),
        )
        // 2.5 s of the call and 5 s in which the driver waits for the answer to its cancellation.
        assert.isBelow(elapsed, 9_500)
      }),
    WAITING,
  )
})
