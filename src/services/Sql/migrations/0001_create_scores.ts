import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"

/** Players, their scores and history, idempotency keys, the outbox and revoked tokens. */
const createTables = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  yield* sql`create sequence event_id`

  yield* sql`create table users (id text collate "C" primary key, email text not null)`

  // `reached` is the event that gave this score: among equal scores the earlier event ranks first.
  yield* sql`create table scores (
    user_id text collate "C" primary key,
    score bigint not null check (score >= 0),
    reached bigint not null,
    hidden boolean not null default false
  ) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02)`
  yield* sql`create index scores_board on scores (score desc, reached, user_id) where not hidden`

  yield* sql`create table score_events (
    user_id text collate "C" not null,
    id bigint not null,
    key text collate "C",
    amount int not null,
    score_after bigint not null,
    at timestamptz not null default now(),
    primary key (user_id, id)
  )`
  yield* sql`create table idempotency_keys (
    user_id text collate "C" not null,
    key text collate "C" not null,
    event_id bigint not null,
    at timestamptz not null default now(),
    primary key (user_id, key)
  )`
  // Rows arrive in order of time, so a block range index finds the old ones at almost no cost to writers.
  yield* sql`create index idempotency_keys_at on idempotency_keys using brin (at)`

  // The process that committed a row sends it; from `due` on, any process may.
  yield* sql`create table outbox (
    id bigint generated always as identity primary key,
    at timestamptz not null default now(),
    due timestamptz not null default now() + interval '5 seconds',
    messages jsonb not null
  )`
  yield* sql`create table revoked_tokens (jti text collate "C" primary key, expires timestamptz not null)`
})

/** What the board is read from beside the scores: its epoch, its version in 16 shards, and the levels that ranks come from. */
const createBoardTables = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  yield* sql`create table board_epoch (only_row boolean primary key default true check (only_row), epoch text not null)`
  yield* sql`insert into board_epoch (epoch) values (gen_random_uuid()::text)`
  yield* sql`create table board_version (
    shard int primary key,
    n bigint not null,
    at timestamptz not null default now()
  ) with (fillfactor = 10)`
  yield* sql`insert into board_version (shard, n) select g, 0 from generate_series(0, 15) g`
  yield* sql`create table players_at_least (
    score bigint,
    shard int,
    players bigint not null,
    primary key (score, shard)
  ) with (fillfactor = 50)`
})

/** The history can only be added to. */
const makeHistoryAppendOnly = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  yield* sql`create function append_only() returns trigger language plpgsql as $$
    begin raise exception 'score_events is append-only'; end $$`
  yield* sql`create trigger append_only before update or delete or truncate on score_events
    for each statement execute function append_only()`
})

/** Every change of a score moves the board's version and its levels. */
const createScoreFunctions = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  // Takes this backend's own row when it is free, else any free one, so that a transaction left open somewhere blocks
  // nobody; waits only when all 16 are taken. Returns the shard, whose lock the caller then holds.
  yield* sql`create function board_moved() returns int language plpgsql as $$
    declare k int := pg_backend_pid() & 15;
    begin
      perform 1 from board_version where shard = k for update skip locked;
      if not found then
        select shard into k from board_version order by shard limit 1 for update skip locked;
        k := coalesce(k, pg_backend_pid() & 15);
      end if;
      update board_version set n = n + 1, at = clock_timestamp() where shard = k;
      return k;
    end $$`

  // The version row of a shard is locked before any level row of that shard: one order, no deadlock.
  yield* sql`create function scores_changed() returns trigger language plpgsql as $$
    declare k int;
    begin
      if tg_op = 'TRUNCATE' then
        perform board_moved();
        delete from players_at_least;
      elsif tg_op = 'INSERT' then
        if exists (select from new_rows) then
          k := board_moved();
          insert into players_at_least as p
            select lvl, k, count(*) from new_rows, generate_series(1, score) lvl where not hidden group by lvl order by lvl
            on conflict (score, shard) do update set players = p.players + excluded.players;
        end if;
      elsif tg_op = 'DELETE' then
        if exists (select from old_rows) then
          k := board_moved();
          insert into players_at_least as p
            select lvl, k, -count(*) from old_rows, generate_series(1, score) lvl where not hidden group by lvl order by lvl
            on conflict (score, shard) do update set players = p.players + excluded.players;
        end if;
      elsif exists (select from new_rows) then
        k := board_moved();
        insert into players_at_least as p
          select lvl, k, sum(sign(b - a)) from (
            select case when o.hidden then 0 else o.score end a, case when n.hidden then 0 else n.score end b
            from new_rows n join old_rows o using (user_id)) d,
            generate_series(least(a, b) + 1, greatest(a, b)) lvl group by lvl order by lvl
          on conflict (score, shard) do update set players = p.players + excluded.players;
      end if;
      return null;
    end $$`
})

/** One trigger for each kind of statement that changes scores. */
const createScoreTriggers = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  yield* sql`create trigger scores_inserted after insert on scores
    referencing new table as new_rows for each statement execute function scores_changed()`
  yield* sql`create trigger scores_updated after update on scores
    referencing old table as old_rows new table as new_rows for each statement execute function scores_changed()`
  yield* sql`create trigger scores_deleted after delete on scores
    referencing old table as old_rows for each statement execute function scores_changed()`
  yield* sql`create trigger scores_truncated after truncate on scores
    for each statement execute function scores_changed()`
})

/** A changed e-mail moves the board's version too: the board shows it. */
const createEmailTrigger = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  yield* sql`create function email_changed() returns trigger language plpgsql as $$
    begin perform board_moved(); return null; end $$`
  yield* sql`create trigger users_email after update of email on users
    for each row when (old.email is distinct from new.email) execute function email_changed()`
})

/** Every table and trigger of the write path. `docs/write-path.md` says why each part is as it is. */
export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* createTables(sql)
  yield* createBoardTables(sql)
  yield* makeHistoryAppendOnly(sql)
  yield* createScoreFunctions(sql)
  yield* createScoreTriggers(sql)
  yield* createEmailTrigger(sql)
})
