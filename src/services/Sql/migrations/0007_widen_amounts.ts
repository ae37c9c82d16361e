import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"

/**
 * Amounts beyond `int`, the keys under which an operator's act counts once, and corrections that were undone. No row of
 * the history is read or written: the new columns are null, and the constraints are `not valid`. Only the last statement
 * locks the history.
 */
export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  // For ever, unlike the keys of increments. A unique index of the history would cost every increment, and reading 100
  // million rows to build it. Under 'undone' the key is the event that was undone.
  yield* sql`create table operator_keys (
    kind text collate "C" not null,
    key text collate "C" not null,
    user_id text collate "C" not null,
    event_id bigint not null,
    primary key (kind, key)
  )`

  // Which event `reached` names once a correction is undone that it names now: the one that the correction replaced, or
  // if that was undone as well, the one before. Corrections of earlier releases did not write down what they replaced;
  // then the history says which event changed the score last. A function sees what was undone while its caller waited for
  // the player's row; the statement that calls it does not.
  yield* sql`create function reached_without(player text, correction bigint) returns bigint language plpgsql as $$
    begin
      return (
        with recursive undone (id) as (
          select correction union all select k.key::bigint from operator_keys k where k.kind = 'undone' and k.user_id = player),
        way (id) as (
          select e.reached_before from score_events e where e.user_id = player and e.id = correction
          union
          select e.reached_before from way join undone using (id) join score_events e on e.user_id = player and e.id = way.id)
        select coalesce(
          (select w.id from way w where w.id is not null and w.id not in (select u.id from undone u)),
          (select e.id from score_events e where e.user_id = player and e.amount <> 0 and e.kind <> 'undone'
            and e.id not in (select u.id from undone u) order by e.id desc limit 1),
          (select min(e.id) from score_events e where e.user_id = player)));
    end $$`

  // points: null = amount; otherwise amount is the nearest int, for those who read only that.
  // undoes: the correction that this event takes back. reached_before: the `reached` that this correction replaced.
  yield* sql`alter table score_events
    add column points bigint,
    add column undoes bigint,
    add column reached_before bigint,
    drop constraint score_events_kind_check,
    add constraint score_events_kind_check
      check (kind in ('increment', 'hidden', 'restored', 'corrected', 'signed-out', 'imported', 'undone')) not valid,
    add constraint score_events_points_check
      check (points is null or amount = greatest(-2147483648, least(2147483647, points))) not valid`
})
