import * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import { waitingForTable, withoutMaintenance } from "./SqlLockWait.ts"

/**
 * The levels that processes of an earlier release look ranks up in. The triggers maintain them beside the nodes until
 * `retireOldRanks`, as long as they hold. A database that had no player when it got its nodes never has them.
 */
const OLD_LEVELS = "old_players_at_least"

/**
 * Makes processes of an earlier release refuse ranks from the end of this transaction on, for a change of scores that the
 * triggers did not see. Without effect where there are no levels any more.
 */
export const endOldRanks = (sql: SqlClient.SqlClient) => sql`do $$ begin
  if to_regclass('old_ranks_ended') is not null then insert into old_ranks_ended default values; end if;
end $$`

/**
 * Drops the levels, and with them what they cost every commit. Gives false if they were dropped before. Nobody may be
 * between a score and its trigger meanwhile: the trigger would find them and lose them.
 */
export const retireOldRanks = (sql: SqlClient.SqlClient) =>
  waitingForTable(
    sql,
    { what: "the levels of earlier releases", table: "scores" },
    Effect.gen(function* () {
      const present = sql<{
        readonly present: boolean
      }>`select to_regclass(${OLD_LEVELS}) is not null as present`
      if ((yield* present)[0]?.present !== true) return false
      yield* withoutMaintenance(sql, "scores")
      yield* sql`lock table scores in share row exclusive mode`
      yield* sql`drop view if exists players_at_least`
      yield* sql`drop table if exists old_players_at_least, old_ranks_ended`
      yield* sql`drop function if exists old_ranks_hold`
      return true
    }),
  )
