import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"

/**
 * Finds a player by e-mail, commits by the time from which any process may send them, and the row of a version, without
 * reading the others. The index of e-mails is a hash: a B-tree refuses an entry of more than 2704 bytes, and with it the
 * player.
 *
 * Runs outside a transaction, and may run again after an attempt that left an index half built.
 */
export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`drop index concurrently if exists users_email`
  yield* sql`create index concurrently users_email on users using hash (email)`
  yield* sql`drop index concurrently if exists outbox_due`
  yield* sql`create index concurrently outbox_due on outbox (due)`

  // As before, but it finds the newest version of a row first. While an old snapshot keeps the versions of 24,000 commits,
  // each look-up read all of them. The table only grows meanwhile, so the newest version is in the last page, and the
  // index, read backwards, begins there. A range is read backwards where an equality is not. The planner would read so
  // small a table whole, and keep that plan while it grows.
  yield* sql`create or replace function board_moved() returns int language plpgsql set enable_seqscan = off as $$
    declare k int := pg_backend_pid() & 15; place tid;
    begin
      select ctid into place from board_version where shard between k and k order by shard desc limit 1
        for update skip locked;
      if not found then
        select shard, ctid into k, place from board_version where shard < 16 order by shard desc limit 1
          for update skip locked;
        k := coalesce(k, pg_backend_pid() & 15);
      end if;
      update board_version set n = n + 1, at = clock_timestamp() where ctid = place;
      if not found then update board_version set n = n + 1, at = clock_timestamp() where shard = k; end if;
      return k;
    end $$`
})
