import * as PgClient from "@effect/sql-pg/PgClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import { UserId } from "../../../../src/domain/Score.ts"
import { type IncrementRequest, Sql } from "../../../../src/services/Sql/Sql.ts"
import * as SqlPostgres from "../../../../src/services/Sql/SqlPostgres.ts"
import * as Postgres from "../../../support/engines/Postgres.ts"

/** One PostgreSQL for all tests of a file; each test gets a database of its own. */
export class Engine extends Context.Service<Engine, Postgres.PostgresEngine>()("test/SqlEngine") {
  static readonly layer = Layer.effect(Engine, Postgres.make())
}

/** The service on a database, as one process has it. */
export const serviceOn = (url: Redacted.Redacted) =>
  Effect.map(Layer.build(SqlPostgres.layerFrom(url)), (context) => Context.get(context, Sql))

/** An operator's own connections to a database. */
export const operatorOn = (url: Redacted.Redacted) =>
  Effect.map(Layer.build(PgClient.layer({ url, maxConnections: 4 })), (context) =>
    Context.get(context, PgClient.PgClient),
  )

/** A fresh database with the schema, the service on it, and an operator beside it. */
export const setup = Effect.gen(function* () {
  const url = yield* (yield* Engine).freshDatabase
  return { url, sql: yield* serviceOn(url), operator: yield* operatorOn(url) }
})

/** Does something in a transaction, gives what came of it, and rolls it back. */
export const rolledBack = <A, E>(operator: PgClient.PgClient, work: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    let seen: A | undefined
    const undo = new Error("rolled back on purpose")
    const outcome = yield* Effect.flip(
      operator.withTransaction(
        Effect.flatMap(work, (value) => {
          seen = value
          return Effect.fail(undo)
        }),
      ),
    )
    return outcome === undo ? seen : yield* Effect.fail(outcome)
  })

/** A request of a player whose e-mail is known. */
export const by = (
  player: string,
  rest: Partial<Omit<IncrementRequest, "userId">> = {},
): IncrementRequest => ({
  userId: UserId.make(player),
  email: `${player}@example.com`,
  key: undefined,
  tokenId: undefined,
  ...rest,
})

/**
 * What is true at any time, whatever was counted, hidden or renamed: each query gives no row. In words: scores are
 * the sum of the history; a player's history is 1, 2, 3 … without a gap; a key counts once and names its event;
 * the outbox contains whole events; the levels are the counts of visible scores; every score has a player.
 */
export const INVARIANTS: Readonly<Record<string, string>> = {
  "sum of scores": `select 1 where (select coalesce(sum(score), 0) from scores) <> (select coalesce(sum(amount), 0) from score_events)`,
  "history without a gap": `select user_id from scores s full join (select user_id, sum(amount) a, count(*) c,
      max(score_after) m, count(distinct score_after) d from score_events group by 1) e using (user_id)
    where s.score is distinct from e.a or e.m <> e.c or e.d <> e.c`,
  "a key once": `select user_id, key from score_events where key is not null group by 1, 2 having count(*) > 1`,
  "keys and history": `select 1 from idempotency_keys k full join (select * from score_events where key is not null) e
    on e.user_id = k.user_id and e.id = k.event_id where e.key is distinct from k.key`,
  "outbox and history": `select 1 from score_events e full join (outbox cross join jsonb_array_elements(messages) m)
    on (m->>'id')::bigint = e.id where e.user_id is distinct from m->>'userId'`,
  levels: `with want as (select lvl, count(*) c from scores, generate_series(1, score) lvl where not hidden group by 1),
      have as (select score lvl, sum(players) c from players_at_least group by 1 having sum(players) <> 0)
    select * from want full join have using (lvl) where want.c is distinct from have.c`,
  "a player for each score": `select user_id from scores left join users on id = user_id where id is null`,
}

/** The names of the invariants that do not hold. */
export const violations = (operator: PgClient.PgClient) =>
  Effect.map(
    Effect.forEach(Object.entries(INVARIANTS), ([name, query]) =>
      Effect.map(operator.unsafe(query), (rows) => (rows.length === 0 ? [] : [name])),
    ),
    (names) => names.flat(),
  )
