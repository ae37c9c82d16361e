import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { SqlFailure } from "./Sql.ts"

/**
 * What a check of the ranks found, in one snapshot. A rank is looked up in nodes, each of which counts the players of a
 * block of scores.
 */
export interface LevelReport {
  /** Visible players with at least one point, counted. */
  readonly players: number
  /** The highest score of a visible player. */
  readonly highest: number
  /** How many nodes store another number than a count gives. 0 = every rank is right. */
  readonly wrong: number
  /** Of the wrong nodes, at most 10 by their first score: the scores of the block, and by how many players it is wrong. */
  readonly lowest: ReadonlyArray<{
    readonly from: number
    readonly to: number
    readonly players: number
  }>
}

/** What a repair did. */
export interface LevelRepair {
  /** Nodes that were corrected, over all passes. */
  readonly repaired: number
  /** The state afterwards. Nodes are wrong only if something breaks them faster than they are repaired. */
  readonly after: LevelReport
}

/** How many synthetic players to add, and whether the database may also hold real ones. */
export interface GenerateRequest {
  readonly players: number
  readonly besideRealPlayers: boolean
}

/** The database has players who are not synthetic, and the request does not allow that. */
export class RealPlayersPresent extends Schema.TaggedError<RealPlayersPresent>()("RealPlayersPresent", {}) {}

/** The operator's side of the ranks. No call has a time limit: a count of ten million players takes seconds. */
export class SqlLevels extends Context.Service<
  SqlLevels,
  {
    /** Counts every node from scratch and compares it with the stored one, in one snapshot. Takes no locks. */
    readonly verify: Effect.Effect<LevelReport, SqlFailure>

    /**
     * Corrects what `verify` finds while increments continue; also fills the nodes after a bulk load. The difference
     * between count and node is taken in one snapshot and added in small batches: increments add the same to both, so
     * it stays the same meanwhile. Idempotent; an interrupted repair leaves some nodes corrected and none worse.
     */
    readonly repair: Effect.Effect<LevelRepair, SqlFailure>

    /**
     * Ends the ranks of processes of earlier releases, which answer 503 from then on, and what these ranks cost every
     * commit. Gives false if there were none any more. Commits wait for it for some milliseconds.
     */
    readonly retire: Effect.Effect<boolean, SqlFailure>

    /**
     * Adds synthetic players `synthetic-0000000001` and so on, with a long tail of scores and large ties, without
     * history; the same numbers give the same players. One transaction, during which nobody else can write a score.
     * Adds nothing and fails when there are real players and `besideRealPlayers` is false.
     */
    generate(request: GenerateRequest): Effect.Effect<void, SqlFailure | RealPlayersPresent>
  }
>()("scoreboard/services/SqlLevels") {}
