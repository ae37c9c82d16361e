import * as PgClient from "@effect/sql-pg/PgClient"
import * as PgMigrator from "@effect/sql-pg/PgMigrator"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import createScores from "./migrations/0001_create_scores.ts"
import indexRevokedTokens from "./migrations/0002_index_revoked_tokens.ts"
import addModeration from "./migrations/0003_add_moderation.ts"
import indexKeysByTime from "./migrations/0004_index_keys_by_time.ts"
import endSignIns from "./migrations/0006_end_sign_ins.ts"

/** A connection that is not made by then is given up; a pool tries again for the next caller. */
export const CONNECT_TIMEOUT = "2 seconds"

/** In the order in which they are applied. A released migration never changes: databases exist that have applied it. */
export const migrations = {
  "0001_create_scores": createScores,
  "0002_index_revoked_tokens": indexRevokedTokens,
  "0003_add_moderation": addModeration,
  "0004_index_keys_by_time": indexKeysByTime,
  "0006_end_sign_ins": endSignIns,
}

/** Applies the missing part of the schema. Idempotent; several processes may do it at once. */
export const migrate = (url: Redacted.Redacted) =>
  PgMigrator.run({ loader: PgMigrator.fromRecord(migrations) }).pipe(
    // Without the statement limits of the pools: processes that migrate at once wait for one another.
    Effect.provide([
      PgClient.layer({ url, maxConnections: 1, connectTimeout: CONNECT_TIMEOUT }),
      NodeServices.layer,
    ]),
  )
