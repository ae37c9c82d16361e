import type * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"

/**
 * What is true at any time, whatever was counted, hidden or renamed: none of these queries gives a row. In words: a score
 * is the sum of its history; a player's history is 1, 2, 3 … without a gap, unless an operator stepped in; the key of an
 * increment counts once and names its event; the outbox has whole increments; the levels are the counts of visible scores;
 * every score has a player.
 */
export const INVARIANTS: Readonly<Record<string, string>> = {
  "sum of scores": `select 1 where (select coalesce(sum(score), 0) from scores) <> (select coalesce(sum(coalesce(points, amount)), 0) from score_events)`,
  "history without a gap": `select user_id from scores s full join (select user_id, sum(coalesce(points, amount)) a, count(*) c,
      max(score_after) m, count(distinct score_after) d, bool_or(kind <> 'increment') o from score_events group by 1) e using (user_id)
    where s.score is distinct from e.a or not e.o and (e.m <> e.c or e.d <> e.c)`,
  "a key once": `select user_id, key from score_events where key is not null and kind = 'increment' group by 1, 2 having count(*) > 1`,
  "keys and history": `select 1 from idempotency_keys k full join (select * from score_events where key is not null and kind = 'increment') e
    on e.user_id = k.user_id and e.id = k.event_id where e.key is distinct from k.key`,
  "outbox and history": `select 1 from (select * from score_events where kind = 'increment') e full join (outbox cross join jsonb_array_elements(messages) m)
    on (m->>'id')::bigint = e.id where e.user_id is distinct from m->>'userId'`,
  levels: `with want as (select lvl, count(*) c from scores, generate_series(1, score) lvl where not hidden group by 1),
      have as (select score lvl, sum(players) c from players_at_least group by 1 having sum(players) <> 0)
    select * from want full join have using (lvl) where want.c is distinct from have.c`,
  "a player for each score": `select user_id from scores left join users on id = user_id where id is null`,
}

/** The names of the invariants that are broken. */
export const violations = (operator: PgClient.PgClient) =>
  Effect.map(
    Effect.forEach(Object.entries(INVARIANTS), ([name, query]) =>
      Effect.map(operator.unsafe(query), (rows) => (rows.length === 0 ? [] : [name])),
    ),
    (names) => names.flat(),
  )
