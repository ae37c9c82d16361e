import type { PgConnection } from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import { sqlState } from "./SqlRolledBack.ts"

/**
 * PostgreSQL numbers its timelines: each promotion of a standby begins a higher one. A standby that lacks the last
 * commits has a smaller sum of versions than viewers have seen, so one more row of `board_version` holds the timeline
 * times this number. Then every version of a timeline is larger than any of an earlier one, as long as fewer changes
 * than this were lost. A board's version stays below 2^53 up to timeline 9,007,199.
 */
const VERSIONS_PER_TIMELINE = 1_000_000_000

/** Beside the 16 rows that commits count in, 0 to 15. */
const TIMELINE_SHARD = 16

/**
 * Raises the row to the server's timeline. Idempotent; several processes may do it at once. A row that is ahead of the
 * timeline was loaded from a dump of another cluster: the versions begin anew, so the epoch does, too.
 *
 * It waits for no standby: nobody was promised anything, and the next timeline is higher still. The name of the file that
 * is written now begins with the timeline; `pg_control_checkpoint` lags behind until the first checkpoint after a promotion.
 */
const ORDER_BY_TIMELINE = `
with here as materialized (
  select ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int::bigint * ${VERSIONS_PER_TIMELINE} as n,
    set_config('synchronous_commit', 'local', true)),
foreign_row as (update board_version v set n = here.n from here
  where v.shard = ${TIMELINE_SHARD} and v.n >= here.n + ${VERSIONS_PER_TIMELINE} returning v.shard),
begun_anew as (update board_epoch set epoch = gen_random_uuid()::text where exists (select from foreign_row))
insert into board_version as v (shard, n, at) select ${TIMELINE_SHARD}, here.n, to_timestamp(0) from here
  where not exists (select from board_version b where b.shard = ${TIMELINE_SHARD} and b.n >= here.n)
on conflict (shard) do update set n = excluded.n where v.n < excluded.n`

/** A service that is like PostgreSQL but does not tell its log: no such right, no such function, not supported. */
const DOES_NOT_TELL = /^(?:42|0A)...$/

/**
 * Makes boards of this server's timeline later than those of any earlier one. Where the server does not tell its
 * timeline, versions stay as they are, and a line of the log says so.
 */
export const orderByTimeline = (connection: PgConnection): Effect.Effect<void, SqlError> =>
  connection.query(ORDER_BY_TIMELINE, [], false).pipe(
    Effect.asVoid,
    Effect.catchIf(
      (error) => DOES_NOT_TELL.test(sqlState(error) ?? ""),
      (error) =>
        Effect.logWarning(
          "PostgreSQL does not tell its timeline: after a failover that lost commits, boards stand still",
          error,
        ),
    ),
  )
