import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type * as SqlClient from "effect/sql/SqlClient"
import type { RankedScore } from "../../../../src/domain/Ranks.ts"
import { UserId } from "../../../../src/domain/Score.ts"
import { type IncrementRequest, Sql } from "../../../../src/services/Sql/Sql.ts"
import * as SqlPostgres from "../../../../src/services/Sql/SqlPostgres.ts"
import { playersAboveBoth } from "../../../../src/services/Sql/SqlRankNodes.ts"
import * as Postgres from "../../../support/engines/Postgres.ts"

/** One server for a file; each test takes a fresh database. */
export class Engine extends Context.Service<Engine, Postgres.PostgresEngine>()("test/RanksEngine") {
  static readonly layer = Layer.effect(Engine, Postgres.make())
}

/** Numbers from 0 to below `limit`, the same ones for the same seed (mulberry32). */
export const numbers = (seed: number) => {
  let state = seed
  return (limit: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * limit)
  }
}

/** The n-th player of a test. */
export const player = (n: number) => UserId.make(`player ${String(n).padStart(2, "0")}`)

/** A request of the n-th player. */
export const request = (n: number, key?: string): IncrementRequest => ({
  userId: player(n),
  email: `${n}@example.com`,
  key,
  tokenId: undefined,
})

/** Another API process: a `Sql` with connections of its own, for as long as the scope lives. */
export const sqlOn = (url: Redacted.Redacted) =>
  Effect.map(Layer.build(SqlPostgres.layerFrom(url)), Context.get(Sql))

/** The whole board with ranks, counted from scratch by PostgreSQL's own `rank()`. */
export const boardFromScratch = (sql: SqlClient.SqlClient) =>
  sql<RankedScore & { readonly user_id: string }>`
select s.user_id, u.email, s.score::float8 as score, rank() over (order by s.score desc)::int as rank
from scores s join users u on u.id = s.user_id where not s.hidden order by s.score desc, s.reached, s.user_id`

/** How many players' ranks by nodes and by count differ, in one snapshot. */
export const wrongRanks = (sql: SqlClient.SqlClient) =>
  Effect.map(
    sql<{ readonly wrong: number }>`
select count(*)::int as wrong from (
  select rank() over (order by score desc) as counted,
    1 + (select first from (${playersAboveBoth(sql, sql`s.score`, sql`null::bigint`)}) n) as looked_up
  from scores s where not hidden) r
where counted <> looked_up`,
    (rows) => rows[0]?.wrong,
  )
