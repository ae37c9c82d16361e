import * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import type { GenerateRequest } from "./SqlLevels.ts"

/**
 * Scores are spread as in many games: a share of s^-1.5 of the players has s points or more, so two thirds tie at 1, and
 * the best of ten million reach the cap. A hash of the player's number gives the score, the same on every machine.
 */
const EXPONENT = -1 / 1.5

/** The highest score that is generated; also the number of level rows. */
const HIGHEST = 50_000

/**
 * Adds players with the triggers of `scores` off, then adds the levels by count, in one transaction: with the triggers
 * on, every point of every player would write one level row. Gives false, and does nothing, when there are real players
 * and the request does not allow that.
 */
export const generatePlayers = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  request: GenerateRequest,
  wrongLevels: Fragment,
) {
  const added = yield* sql.withTransaction(
    Effect.gen(function* () {
      // Ids begin with "synthetic-", and "." follows "-": two ranges of the primary key, not a scan.
      const [real] = yield* sql<{ readonly present: boolean }>`
select exists (select from users where id < 'synthetic-') or exists (select from users where id >= 'synthetic.') as present`
      if (real?.present === true && !request.besideRealPlayers) return false

      yield* sql`lock table scores in share row exclusive mode`
      yield* sql`alter table scores disable trigger user`
      yield* sql`
with taken as materialized (
  select coalesce((select substr(id, 11)::bigint from users where id >= 'synthetic-' and id < 'synthetic.' order by id desc limit 1), 0) as last)
insert into users (id, email)
  select 'synthetic-' || lpad(n::text, 10, '0'), 'synthetic-' || n || '@example.com'
  from taken, generate_series(last + 1, last + ${request.players}::bigint) n`
      yield* sql`
insert into scores (user_id, score, reached)
  select id, least(${HIGHEST}::bigint, floor(power((hashtext(id)::bigint + 2147483648.5) / 4294967296, ${EXPONENT}::float8))::bigint),
    nextval('event_id')
  from users u where id >= 'synthetic-' and id < 'synthetic.' and not exists (select from scores s where s.user_id = u.id)
  order by id`
      yield* sql`alter table scores enable trigger user`
      yield* sql`
with shard as materialized (select board_moved() as shard)
insert into players_at_least as p (score, shard, players)
  select score, shard, counted - kept from (${wrongLevels}) w, shard order by score
  on conflict (score, shard) do update set players = p.players + excluded.players`
      return true
    }),
  )
  // Autovacuum would collect the planner's statistics and set the visibility map only minutes later.
  if (added) yield* sql`vacuum (analyze) users, scores, players_at_least`
  return added
})
