import { assert, describe, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { UserId } from "../../../../src/domain/Score.ts"
import { type IncrementRequest, Sql } from "../../../../src/services/Sql/Sql.ts"
import * as SqlPostgres from "../../../../src/services/Sql/SqlPostgres.ts"
import { SqlUpkeep } from "../../../../src/services/Sql/SqlUpkeep.ts"
import * as SqlUpkeepPostgres from "../../../../src/services/Sql/SqlUpkeepPostgres.ts"
import { query } from "../../../support/engines/embeddedPostgres.ts"
import * as Postgres from "../../../support/engines/Postgres.ts"

/** The server, for statements that the service does not have. */
class Database extends Context.Service<Database, Postgres.PostgresEngine>()("test/Database") {}

const Engine = Layer.unwrap(
  Effect.map(Postgres.make(), (engine) =>
    Layer.mergeAll(
      SqlPostgres.layerFrom(engine.url),
      SqlUpkeepPostgres.layerFrom(engine.url),
      Layer.succeed(Database, engine),
    ),
  ),
)

const request = (userId: string, options: Partial<IncrementRequest> = {}): IncrementRequest => ({
  userId: UserId.make(userId),
  email: `${userId}@example.com`,
  key: undefined,
  tokenId: undefined,
  ...options,
})

describe("Sql", () => {
  layer(Engine, { timeout: "60 seconds", excludeTestServices: true })((it) => {
    it.effect(
      "reports a batch as rolled back for a row that cannot be stored, and counts nothing of it",
      () =>
        Effect.gen(function* () {
          const sql = yield* Sql
          for (const bad of [request("nul", { key: "a\0b" }), request("long", { key: longKey })]) {
            const failure = yield* Effect.flip(sql.increment([request("good"), bad]))
            assert.strictEqual(failure.rolledBack, "data")
          }
          const { scores } = yield* sql.top(10)
          assert.deepStrictEqual(scores, [])
        }),
    )

    it.effect(
      "deletes keys that are older than a day, at most as many as it is asked to, and no others",
      () =>
        Effect.gen(function* () {
          const sql = yield* Sql
          const upkeep = yield* SqlUpkeep
          const { url } = yield* Database
          yield* sql.increment(["1", "2", "3", "4"].map((key) => request("ada", { key })))
          yield* query(
            url,
            "update idempotency_keys set at = now() - interval '25 hours' where key in ('1', '2', '3')",
          )
          assert.strictEqual(yield* upkeep.pruneKeys(2), 2)
          assert.strictEqual(yield* upkeep.pruneKeys(2), 1)
          assert.strictEqual(yield* upkeep.pruneKeys(2), 0)
          const { outcomes } = yield* sql.increment(["1", "4"].map((key) => request("ada", { key })))
          assert.deepStrictEqual(
            outcomes.map(({ _tag }) => _tag),
            ["Counted", "Duplicate"],
          )
        }),
    )

    it.effect("refuses the sign-ins of a player from before a moment, and no other row of the batch", () =>
      Effect.gen(function* () {
        const sql = yield* Sql
        const { url } = yield* Database
        yield* sql.register(UserId.make("eve"), "eve@example.com")
        yield* query(url, "update users set tokens_from = to_timestamp(1790000000) where id = 'eve'")
        // Numbers of every type that the driver tells apart, in one batch.
        const batch = [
          request("eve"),
          ...[0, 1_789_999_999.5, 1_790_000_000, 4_000_000_000, 1e300].map((signedInAtSeconds) =>
            request("eve", { signedInAtSeconds }),
          ),
          request("bob"),
        ]
        const { outcomes } = yield* sql.increment(batch)
        assert.deepStrictEqual(
          outcomes.map(({ _tag }) => _tag),
          ["Revoked", "Revoked", "Revoked", "Counted", "Counted", "Counted", "Counted"],
        )
        for (const [n, one] of batch.entries())
          assert.strictEqual(yield* sql.refuses(one), outcomes[n]?._tag === "Revoked")
      }),
    )

    it.effect("does not report a batch as rolled back when the server did not answer", () =>
      Effect.gen(function* () {
        const sql = yield* Sql
        const { stop } = yield* Database
        yield* stop
        const failure = yield* Effect.flip(sql.increment([request("ada")]))
        assert.isUndefined(failure.rolledBack)
      }),
    )
  })
})

/** More than a B-tree entry holds, also compressed (class 54). */
const longKey = Array.from({ length: 1000 }, (_, n) => (n * 7919 * 7919).toString(36)).join("")
