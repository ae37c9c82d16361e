import type * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import createScores from "./migrations/0001_create_scores.ts"
import indexRevokedTokens from "./migrations/0002_index_revoked_tokens.ts"
import addModeration from "./migrations/0003_add_moderation.ts"
import indexKeysByTime from "./migrations/0004_index_keys_by_time.ts"
import avoidScans from "./migrations/0005_avoid_scans.ts"
import endSignIns from "./migrations/0006_end_sign_ins.ts"
import countRankNodes from "./migrations/0007_count_rank_nodes.ts"
import fillRankNodes from "./migrations/0008_fill_rank_nodes.ts"
import widenAmounts from "./migrations/0009_widen_amounts.ts"

/** A connection that is not made by then is given up; a pool tries again for the next caller. */
export const CONNECT_TIMEOUT = "2 seconds"

/**
 * In the order in which they are applied, numbered without a gap. A released migration never changes: databases exist
 * that have applied it.
 */
export const migrations = {
  "0001_create_scores": createScores,
  "0002_index_revoked_tokens": indexRevokedTokens,
  "0003_add_moderation": addModeration,
  "0004_index_keys_by_time": indexKeysByTime,
  "0005_avoid_scans": avoidScans,
  "0006_end_sign_ins": endSignIns,
  "0007_count_rank_nodes": countRankNodes,
  "0008_fill_rank_nodes": fillRankNodes,
  "0009_widen_amounts": widenAmounts,
}

/**
 * Migrations whose statements cannot run in one transaction, because they build an index, or write much, while others
 * write. An attempt that was cut off runs again from its first statement. Every other migration is one transaction.
 */
const OUTSIDE_TRANSACTION: ReadonlySet<string> = new Set(["0005_avoid_scans", "0008_fill_rank_nodes"])

/** One step of the schema. */
export interface Migration {
  /** Its number. */
  readonly id: number
  /** Its name without the number. */
  readonly name: string
  /** Its number and name: `0001_create_scores`. */
  readonly label: string
  readonly inTransaction: boolean
  readonly run: Effect.Effect<void, unknown, SqlClient.SqlClient>
}

/** Every migration that this code knows, in order. */
export const known: ReadonlyArray<Migration> = Object.entries(migrations).map(([label, run]) => ({
  id: Number(label.slice(0, 4)),
  name: label.slice(5),
  label,
  inTransaction: !OUTSIDE_TRANSACTION.has(label),
  run,
}))
