import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import { migrations } from "../../../../src/services/Sql/SqlMigrations.ts"

/** SHA-256 of the statements of each released migration, in order. A new migration adds a line; no line ever changes. */
const RELEASED: Readonly<Record<string, string>> = {
  "0001_create_scores": "494abd1ad6b0cf7e44a66abc0fc2f33316adab2033ce506628378c196e2e352a",
  "0002_index_revoked_tokens": "3a86a227d21710620c4ebb0aa71e6477146264077bfe329403f17c51637a16f6",
  "0003_add_moderation": "6b287c9644a440b707eac0bf54a71b9b4b89d4f9a3fd316a536c401e5815bb92",
  "0004_index_keys_by_time": "dadfa4c9272622c9fdabd453663601175a8b03e783e57f78f3a9a0bb748dba9a",
  "0005_avoid_scans": "62ab6ff9506c549d35a040fd2d839919469c35a7b75130b63019a37613665680",
  "0006_end_sign_ins": "a33c7e429705c99d3d62d83aa23c20d08d02c9724e2c9c6ce452cc9fd6f545f0",
  "0007_count_rank_nodes": "7476ee091f93a6799d7443fbe47c2693121089b4b7daeaa9d4eab8e36f787154",
  "0008_fill_rank_nodes": "1906db4c59e8c4c440f056c5e505582beb7913a445f6a674d19ed8565b439760",
  "0009_widen_amounts": "4dc36eafaa836ab345360ec667365e32e2e9bc545b0e9e11373c3d2026ef513f",
}

/** The statements that an effect sends, in order; nothing runs. */
const sentBy = <E>(effect: Effect.Effect<unknown, E, SqlClient.SqlClient>) =>
  Effect.gen(function* () {
    const sent: Array<string> = []
    const record = (statement: string) => Effect.sync(() => (sent.push(statement), []))
    const connection: Connection = {
      execute: record,
      executeRaw: record,
      executeStream: () => Stream.die("no migration reads a stream"),
      executeValues: record,
      executeValuesUnprepared: record,
      executeUnprepared: record,
    }
    const client = yield* SqlClient.make({
      acquirer: Effect.succeed(connection),
      compiler: PgClient.makeCompiler(),
      driver: "recorder",
      spanAttributes: [],
    })
    yield* Effect.provideService(effect, SqlClient.SqlClient, client)
    return sent
  }).pipe(Effect.provide(Reactivity.layer))

describe("The migrations", () => {
  it("are numbered from 1 without a gap, in order, so that none comes late with a lower number", () => {
    const numbers = Object.keys(migrations).map((name) => /^(\d{4})_[a-z]+(?:_[a-z]+)+$/.exec(name)?.[1])
    assert.deepStrictEqual(
      numbers,
      numbers.map((_, index) => String(index + 1).padStart(4, "0")),
    )
  })

  it.effect("send byte for byte what they sent when they were released", () =>
    Effect.gen(function* () {
      const hashes: Record<string, string> = {}
      for (const [name, migration] of Object.entries(migrations)) {
        const sent = yield* sentBy(migration)
        hashes[name] = createHash("sha256").update(sent.join(";\n")).digest("hex")
      }
      assert.deepStrictEqual(hashes, RELEASED)
    }),
  )
})
