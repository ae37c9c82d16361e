import * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"

/**
 * Scores as games have them: a share of s^-1.5 has s points or more, so two thirds tie at 1, and the best of ten
 * million reach the cap. Each follows from the player's number by a hash, the same on every machine.
 */
const EXPONENT = -1 / 1.5

/** The best score there is; also the number of level rows. */
const HIGHEST = 50_000

/**
 * Adds players with the triggers of `scores` off, then the levels by count, in one transaction: through the triggers,
 * every point of every player would be one level row to write. False, and nothing done, where real players are
 * and were not allowed for.
 */
export const generatePlayers = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  options: { readonly players: number; readonly besideRealPlayers: boolean },
  wrongLevels: Fragment,
) {
  const added = yield* sql.withTransaction(
    Effect.gen(function* () {
      // Ids begin with "synthetic-", and "." follows "-": two ranges of the primary key, not a scan.
      const [real] = yield* sql<{ readonly present: boolean }>`
select exists (select from users where id < 'synthetic-') or exists (select from users where id >= 'synthetic.') as present`
      if (real?.present === true && !options.besideRealPlayers) return false

      yield* sql`lock table scores in share row exclusive mode`
      yield* sql`alter table scores disable trigger user`
      yield* sql`
with taken as materialized (
  select coalesce((select substr(id, 11)::bigint from users where id >= 'synthetic-' and id < 'synthetic.' order by id desc limit 1), 0) as last)
insert into users (id, email)
  select 'synthetic-' || lpad(n::text, 10, '0'), 'synthetic-' || n || '@example.com'
  from taken, generate_series(last + 1, last + ${options.players}::bigint) n`
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
  // The planner's figures and the visibility map, which the usual daemon would bring within minutes.
  if (added) yield* sql`vacuum (analyze) users, scores, players_at_least`
  return added
})
