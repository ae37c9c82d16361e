import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"

/** The columns of a node: how many visible players have at least this digit. Null is 0, and takes no room. */
const forEachColumn = (text: (column: string, digit: number) => string) =>
  Array.from({ length: 15 }, (_, at) => text(`c${at + 1}`, at + 1)).join(", ")

/**
 * The nodes that ranks are looked up in, at first without anybody in them. Period 0 is all time. Half of a page stays
 * free, so that an update of a node finds room beside it.
 */
const createNodes = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  yield* sql.unsafe(`create table rank_node (
    period int not null, level int not null, block bigint not null, shard int not null,
    ${forEachColumn((column) => `${column} bigint`)},
    primary key (period, level, block, shard)
  ) with (fillfactor = 50)`)
})

/**
 * Until the last process of an earlier release has ended, the triggers also maintain the levels that such a process
 * reads, under another name. Their old name becomes a view that refuses to answer once they do not hold any more: an old
 * process then says that ranks are unavailable, instead of wrong ones. Nobody can write through the view: the repair of
 * an earlier release would write levels and no nodes. Without a player there is nobody whom an old process could answer.
 */
const setLevelsAside = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  yield* sql`do $$ begin
    if exists (select from users) or exists (select from scores) then
      alter table players_at_least rename to old_players_at_least;
      create table old_ranks_ended (at timestamptz not null default now());
      create function old_ranks_hold() returns boolean language plpgsql stable parallel safe as $f$
        begin
          if exists (select from old_ranks_ended) then
            raise exception 'this process is of a release whose ranks have ended: replace it' using errcode = 'object_not_in_prerequisite_state';
          end if;
          return true;
        end $f$;
      -- A column that is computed cannot be written.
      create view players_at_least as select score, shard, players + 0 as players from old_players_at_least where old_ranks_hold();
    else
      drop table players_at_least;
    end if;
  end $$`
})

/**
 * Adds players to nodes, in one statement. `moves` gives (a, b, n): n players went from a to b points, 0 = not ranked. A
 * step inside a block of 16 changes one node; any other move, however far, at most two on each level. Equal moves are one
 * before anything else is done, and the levels are a constant: with a series of computed ends the planner expects a
 * thousand million rows.
 */
const movedNodes = (moves: string) => `
with d as materialized (${moves}),
x as materialized (
  select 0 as level, s >> 4 as block, (s & 15)::int as digit, w from d, lateral (values (a, -n), (b, n)) v(s, w)
    where a <> b and s & 15 <> 0
  union all
  select l, s >> (4 * l + 4), ((s >> (4 * l)) & 15)::int, w
    from d, lateral (values (a, -n), (b, n)) v(s, w), unnest('{1,2,3,4,5,6,7,8,9,10,11,12,13}'::int[]) l
    where a >> 4 <> b >> 4 and a >> (4 * l) <> b >> (4 * l) and (s >> (4 * l)) & 15 <> 0)
insert into rank_node as p select 0, level, block, k, ${forEachColumn((_, digit) => `sum(w) filter (where digit >= ${digit})`)}
  from x group by level, block order by level, block
  on conflict (period, level, block, shard) do update set
    ${forEachColumn((c) => `${c} = coalesce(p.${c} + excluded.${c}, p.${c}, excluded.${c})`)}`

/** The same for the levels that an old process reads, while they hold. Many points at once end them: each is a row. */
const movedLevels = (moves: string) => `
if has_levels then if not exists (select from old_ranks_ended) then
  with d as materialized (${moves}),
  ended as (insert into old_ranks_ended select now() where (select sum(least(abs(b - a), 10001) * n) from d) > 10000 returning 1)
  insert into old_players_at_least as p
    select lvl, k, sum(sign(b - a) * n) from d, generate_series(least(a, b) + 1, greatest(a, b)) lvl
      where not exists (select from ended) group by lvl order by lvl
    on conflict (score, shard) do update set players = p.players + excluded.players;
end if; end if`

const INSERTED =
  "select 0::bigint as a, score as b, count(*)::int as n from new_rows where not hidden group by score"
const DELETED =
  "select score as a, 0::bigint as b, count(*)::int as n from old_rows where not hidden group by score"
const UPDATED = `select case when o.hidden then 0 else o.score end as a, case when n.hidden then 0 else n.score end as b,
  count(*)::int as n from new_rows n join old_rows o using (user_id) group by 1, 2`

/** The version row of a shard is locked before any node or level of that shard: one order, no deadlock. */
const replaceTrigger = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  const counted = (rows: string, moves: string) => `
if exists (select from ${rows}) then
  k := board_moved();
  ${movedNodes(moves)};
  ${movedLevels(moves)};
end if;`
  yield* sql.unsafe(`create or replace function scores_changed() returns trigger language plpgsql set jit = off as $$
declare k int; has_levels boolean := to_regclass('old_players_at_least') is not null;
begin
  if tg_op = 'TRUNCATE' then
    perform board_moved();
    delete from rank_node where period = 0;
    if has_levels then delete from old_players_at_least; end if;
  elsif tg_op = 'INSERT' then ${counted("new_rows", INSERTED)}
  elsif tg_op = 'DELETE' then ${counted("old_rows", DELETED)}
  else ${counted("new_rows", UPDATED)}
  end if;
  return null;
end $$`)
})

/**
 * Ranks are counted in nodes, which give the rank of any score, not only of low ones. The next migration fills the nodes,
 * and code that reads them does not start before that is done. Commits wait for this one only while it replaces the
 * trigger: no commit may be between its score and its trigger, or it would count with the old one.
 */
export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* createNodes(sql)
  // A number of JSON is exact up to this one. Scores that are there already are looked through by the next migration.
  yield* sql`alter table scores add constraint scores_score_exact check (score <= 9007199254740991) not valid`
  yield* setLevelsAside(sql)
  yield* replaceTrigger(sql)
})
