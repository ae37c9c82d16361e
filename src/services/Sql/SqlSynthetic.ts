import * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type { GenerateRequest } from "./SqlLevels.ts"
import { endOldRanks } from "./SqlOldRanks.ts"
import { addAllMissing } from "./SqlWrongNodes.ts"

/**
 * Scores are spread as in many games: a share of s^-1.5 of the players has s points or more, so two thirds tie at 1, and
 * the best of ten million reach the cap. A hash of the player's number gives the score, the same on every machine.
 */
const EXPONENT = -1 / 1.5

/** The highest score that is generated. */
const HIGHEST = 50_000

/**
 * Adds players with the triggers of `scores` off, then counts them into the nodes, in one transaction: a statement of
 * millions of rows would keep all of them in memory for its trigger. Gives false, and does nothing, when there are real
 * players and the request does not allow that.
 */
export const generatePlayers = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  request: GenerateRequest,
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
      yield* addAllMissing(sql)
      yield* endOldRanks(sql)
      return true
    }),
  )
  // Autovacuum would collect the planner's statistics and set the visibility map only minutes later.
  if (added) yield* sql`vacuum (analyze) users, scores, rank_node`
  return added
})
